"""Latents by codes: one table of them, or several, each for what those before it leave.."""
