"""Networks in files, `.h5` and `.keras`: written whole and verified, checked before anything is built; and the pre-trained ones by name.

Here belong the formats of a network's file. Not here: the table of systems and the networks of the originals (`systems/network_files`).
Doors: h5py (`h5_guard`), `.keras` (`keras_files`), huggingface_hub (`hub`).
"""
