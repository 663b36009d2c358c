"""Super-resolution: 3D U-Net against a PatchGAN."""
