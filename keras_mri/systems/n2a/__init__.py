"""Denoise repetitions: Noise2Average."""
