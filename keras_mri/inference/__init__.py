"""A network on a whole volume: tiles, their grid, and how far a scan is from what the network was trained on.

Here belongs what prediction shares, on any backend of Keras. Not here: intensities (`imaging`), what a system does with a frame.
"""
