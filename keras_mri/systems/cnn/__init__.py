"""Denoise slices: a small 2D autoencoder to learn from."""
