"""What the commands share: flags from dataclasses, running and its errors, progress, the training job, a whole study.

Here belongs what two commands need. Not here: anything a Python user would call (`keras_mri.api`).
Door: argparse, with the commands.
"""
