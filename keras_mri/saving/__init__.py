"""The `.h5`: written whole and verified, checked before anything in it is built; and the pre-trained networks by name.

Here belongs what knows how a network lies in its file. Not here: which system a file belongs to (`systems/network_files`). Door: h5py.
"""
