"""What a scanner does to an anatomy, as arrays: slices with a profile, k-space and its filters, noise.

Here belongs what is drawn to make a scan of a noise-free volume.
Not here: how the volume was painted (`imaging/painted`), batches (`data`).
"""
