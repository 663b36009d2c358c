"""Figures and the HTML page: what was measured, as pictures, charts and tables.

Here belongs what a person looks at. Not here: what is measured (`imaging`). Door: matplotlib.
"""
