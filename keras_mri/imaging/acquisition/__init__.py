"""What a scanner does to an image: k-space filters, noise and where it is strong, slices with a profile, the magnitude."""
