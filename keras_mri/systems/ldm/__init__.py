"""Generate, refine and repair volumes: latent diffusion."""
