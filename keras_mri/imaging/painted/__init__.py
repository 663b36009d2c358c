"""Label maps painted as images: shapes that vary, tissues with a contrast of their own, measured in voxels of any size."""
