"""Missing voxels of a run, guessed from the run itself, and damage found in it.

Every guess in time is a weighted sum of other frames. Here belongs how weights are found, proved on known voxels, and summed; what
only space can fill; and the search for damaged slices and frames. Not here: networks that change a guess (`systems/ldm`).
"""
