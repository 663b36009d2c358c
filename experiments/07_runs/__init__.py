"""Runs: activations found, kept and invented by denoisers of fMRI."""
