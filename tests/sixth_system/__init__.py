"""A sixth system, as somebody else would add it: this folder, one line in the table."""
