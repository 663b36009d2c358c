"""Runs, as arrays: what a look at a run finds, the noise of a run, its time courses and their bases.

Here belongs what needs frames in the order of time. Not here: single volumes (`imaging`), the network of runs (`systems/wgan`).
"""
