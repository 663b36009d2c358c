"""Measurements behind every figure of the README; not installed with the package."""
