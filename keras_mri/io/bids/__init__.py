"""Studies in BIDS: what a name says, which scans a study has, what its side-cars say, and its derivatives.

Here belongs what knows the standard. Not here: images (`io`), what is done with a study (`cli`).
"""
