"""Studies in BIDS: what a name says, and which scans a study has.

Here belongs what is read of a study's folders and names. Not here: what is written (`derivatives`), and side-cars (`metadata`).
"""
