"""Files in and out, without Keras: images, masks, tables, BIDS folders, and files that appear whole or not at all.

Here belongs whatever opens, checks or writes a file of a user's. Not here: arithmetic on intensities (`imaging`), networks' files
(`saving`). Doors: nibabel, `.tsv`, `.npz` of states and slices excepted.
"""
