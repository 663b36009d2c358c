"""Write the files of this folder: python -m tests.formats.write

Each format is kept as the code of its time wrote it, so this runs once for a format, at a commit that writes it, and never again:
FORMAT_SYSTEM.h5.gz holds a network of a few steps, FORMAT_SYSTEM.npy its prediction of that day (`cases.predicted`).
Format 1: commit "Keep a file of format 1 of each system". Format 2: commit "Keep a file of format 2 of each system".
"""

import gzip
import pathlib
import tempfile

import numpy as np

from keras_mri import train
from keras_mri.io import nifti_writing
from keras_mri.saving import checkpoints
from tests.formats import cases


def main():
    """Train every system for a few steps, and keep its network and what that predicts."""
    for name, (scans, options) in cases.TRAININGS.items():
        with tempfile.TemporaryDirectory() as folder:
            images = [pathlib.Path(folder) / f"scan{number}.nii" for number in range(scans)]
            for number, image in enumerate(images):
                nifti_writing.save(cases.scan(name, number), image)
            out = pathlib.Path(folder) / "network.h5"
            code = train.main([name, *map(str, images), *cases.LENGTH, *options, "-o", str(out)])
            assert not code, f"training {name} failed"
            if name in ("wgan", "n2a", "sr"):
                _disturb(out)
            stem = f"{checkpoints.inspect(out)['format']}_{name}"
            (cases.FOLDER / f"{stem}.h5.gz").write_bytes(gzip.compress(out.read_bytes(), mtime=0))
            np.save(cases.FOLDER / f"{stem}.npy", cases.predicted(out))


def _disturb(path):
    """Move the weights of a network's file: after so few steps a residual network changes nothing, whatever it is told."""
    checkpoint, rng = checkpoints.load(path), np.random.default_rng(0)
    checkpoint.network.set_weights([weight + rng.normal(0, 0.2, weight.shape) for weight in checkpoint.network.get_weights()])
    checkpoints.save(checkpoint, path)


if __name__ == "__main__":
    main()
