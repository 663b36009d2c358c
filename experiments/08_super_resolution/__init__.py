"""Experiment: thick slices of any head scan on a finer grid, by a network that the user need not train."""
