"""How much detail `sr` gives back to a scan whose k-space was truncated: another person, another scanner."""
