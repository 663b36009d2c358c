"""Denoise from one scan: 3D U-Net, trained on the mean absolute error and then against a Wasserstein critic."""
