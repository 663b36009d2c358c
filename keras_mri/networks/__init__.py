"""Builders of functional Keras networks, one network a file, and the blocks, geometry and precision that they share.

Here belongs what returns a `keras.Model` of built-in layers. Not here: models with a `train_step` (`training`, or a system's folder).
"""
