"""Files in and out, without Keras: images and their grids, masks, tables, BIDS folders, locks, and atomic writing.

Here belongs all code that opens, checks or writes a user's file. Not here: arithmetic on intensities (`imaging`), networks' files
(`saving`). Doors: nibabel, `.tsv`, `.npz` of states and slices excepted.
"""
