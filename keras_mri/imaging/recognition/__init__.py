"""What a picture shows: whether there is a head in it, and of which contrast, as far as that can be seen.

Here belongs what looks at intensities alone; what names and side-cars say is `keras_mri.io.bids`.
"""
