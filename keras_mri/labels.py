"""Labels of the volumes of a run, for programs of your own: the same functions by which `train ldm` labels them.

>>> from keras_mri.labels import Event, labels_of_events
>>> labels_of_events([Event(0.0, 4.0, "face"), Event(10.0, 4.0, "house")], n_frames=10, repetition_time=2.0, lag=5.0)
[None, None, None, 'face', 'face', None, None, None, 'house', 'house']
"""

from keras_mri.systems.ldm.labels import Event, labels_of_events, read_events, read_volume_labels

__all__ = ["Event", "labels_of_events", "read_events", "read_volume_labels"]
