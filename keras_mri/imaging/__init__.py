"""Arrays to arrays, with NumPy and SciPy alone: intensities, noise, masks, k-space, motion, metrics, phantoms.

Here belongs what knows of MR images but of no file, no network and no system. Not here: batches (`data`), figures (`report`).
"""
