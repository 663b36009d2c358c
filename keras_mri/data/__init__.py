"""From scans to batches, as far as systems share it: patches, splits, the cache of runs, tf.data pipelines.

Here belongs what two systems feed their trainings with. Not here: a pipeline of one system (`systems/NAME/data.py`).
"""
