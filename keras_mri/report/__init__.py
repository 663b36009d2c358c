"""Figures and the HTML page: measurements as pictures, charts and tables.

Here belongs everything that draws or lays out a result for a reader. Not here: the measurements (`imaging`). Door: matplotlib.
"""
