"""Keras toolkit that restores and synthesises MR volumes.

Importing it imports neither TensorFlow nor Keras; the modules that need them do.
"""

__version__ = "0.1.0"
