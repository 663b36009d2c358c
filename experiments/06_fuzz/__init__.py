"""Hostile files at every door; see README.md."""
