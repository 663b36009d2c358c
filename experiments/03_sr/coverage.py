"""Voxels that the network did not produce, on the scans of every shape: python -m experiments.03_sr.coverage, writes coverage.csv

The network of this check says 1 everywhere (in SDs of the brain), whatever it sees. A voxel that comes out as anything else was not
produced by it, or by tiles whose weights do not sum to one.
"""

import pathlib

import numpy as np

from experiments.data import FOLDER, peak_memory, write_rows
from keras_mri.errors import InputError
from keras_mri.imaging.intensity import fit_zscore
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.networks.unet3d import unet3d
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr import system as sr

TILES = (None, (64, 64, 64), (24, 40, 16))
# The structural scans, and the zoo of odd shapes (the first volume of each run).
PATTERNS = ("forrest-t1w/T1w.nii.gz", "adi-t1t2/T?w_defaced.nii.gz", "prisma-mini/T1w*defaced.nii.gz", "epi-short/*.nii.gz")
_ROUNDING, _SMALL = 1e-4, 1e6


def main():
    """Write coverage.csv and print it."""
    network = unet3d(2, 2, residual=False, normalization="none")
    network.get_layer("restored").set_weights([np.zeros((1, 1, 1, 2, 1)), np.ones(1)])
    config = sr.Config(generator="unet3d", base_filters=2, levels=2, residual=False, scaling="volume")
    checkpoint = checkpoint_for(network, "sr", config)
    rows = []
    for path in sorted(path for pattern in PATTERNS for path in FOLDER.glob(pattern)):
        try:
            scan = open_image(path)
        except InputError as error:
            print(f"left out: {error}", flush=True)
            continue
        volume = Volume.from_array(scan.frame(0), scan.affine, name=path.name)
        said = fit_zscore(volume.frame(0)).invert(np.ones(1, np.float32))[0]
        # Tiles of 16 voxels, which overlap by 12, are for small scans.
        for tile in TILES if volume.frame(0).size < _SMALL else TILES[:2]:
            restored = sr.predict(checkpoint, [volume], sr.PredictConfig(tile=tile)).frame(0)
            missed = np.abs(restored - said) > _ROUNDING * abs(said)
            shape = "×".join(map(str, volume.shape))
            shown = "by itself" if tile is None else "×".join(map(str, tile))
            rows.append(dict(scan=path.parent.name, shape=shape, tile=shown, share_missed=float(missed.mean()), peak_mb=peak_memory()))
            print(rows[-1], flush=True)
    write_rows(pathlib.Path(__file__).with_name("coverage.csv"), rows)


if __name__ == "__main__":
    main()
