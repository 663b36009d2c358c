"""Other people's files at the door: told apart, loaded, and made consistent with one remark for each doubt, or refused.

Here belongs what a file says wrongly of itself: its ending, its header, its kind. Not here: how its voxels are read (`nifti_reading`).
"""
