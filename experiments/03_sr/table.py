"""Score the rows on adi-t1t2's T1w, truncated: python -m experiments.03_sr.table [FOLDER], writes results.csv and prints Markdown."""

import importlib
import pathlib
import sys
import time

import numpy as np
from scipy import ndimage

from experiments.data import FOLDER, peak_memory, write_rows
from keras_mri.imaging.kspace import resampled, truncated
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

train = importlib.import_module("experiments.03_sr.train")

SEEDS = (0, 1, 2)
# Of the brain in an axial slice, to count.
_LEAST_VOXELS = 500


def main(folder="networks"):
    """Score input as is, cubic spline, L1 only and GAN; write results.csv and print it."""
    target = open_image(FOLDER / "adi-t1t2" / "T1w_defaced.nii.gz")
    mask = load_mask(FOLDER / "adi-t1t2" / "T1w_brainmask.nii.gz", target)
    reference = target.frame(0)
    axial = axial_axis(target.affine)
    rows = []
    for name, factors in train.FACTORS.items():
        source = Volume.from_array(truncated(reference, factors), target.affine, name=f"truncated {name}")
        for method, seed, restore in _methods(folder, name, factors, reference, target):
            start = time.perf_counter()
            restored = restore(source)
            seconds = time.perf_counter() - start
            row = dict(truncation=name, method=method, seed=seed, **scores(reference, restored, mask, factors, axial))
            rows.append({**row, "seconds": seconds, "peak_mb": peak_memory()})
            print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), file=sys.stderr, flush=True)
    write_rows(pathlib.Path(__file__).parent / "results.csv", rows)
    print(markdown(rows))


def axial_axis(affine):
    """Return the voxel axis that runs most nearly from foot to head."""
    return int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))


def scores(reference, restored, mask, factors, axial):
    """Return every measure of one row; the data range of PSNR and SSIM is the reference's maximum in the mask.

    Parameters
    ----------
    reference, restored : ndarray of float32, shape (x, y, z)
    mask : ndarray of bool, shape (x, y, z)
    factors : tuple of int
        Of the truncation.
    axial : int
        The voxel axis along which axial slices follow one another.

    Returns
    -------
    dict of str to float
        PSNR in the brain (headline), over the whole volume, and the mean over axial slices of the masked one; SSIM in the brain and
        everywhere; sharpness: gradient magnitude in the brain over the reference's; share of the energy beyond the truncated band
        over the reference's.
    """
    peak = float(reference[mask].max())
    slices = zip(*(np.moveaxis(volume, axial, 0) for volume in (reference, restored, mask)))
    by_slice = [psnr(*images, inside, peak) for *images, inside in slices if inside.sum() > _LEAST_VOXELS]
    return dict(
        psnr_brain=psnr(reference, restored, mask, peak),
        psnr_whole=psnr(reference, restored, None, peak),
        psnr_slices=float(np.mean(by_slice)),
        psnr_slices_sd=float(np.std(by_slice)),
        ssim_brain=ssim(reference, restored, mask, peak),
        ssim_whole=ssim(reference, restored, None, peak),
        sharpness=_gradient(restored, mask) / _gradient(reference, mask),
        fine_energy=_beyond(restored, factors) / _beyond(reference, factors),
    )


def markdown(rows):
    """Return the rows as a Markdown table, seeds averaged."""
    names = ["psnr_brain", "ssim_brain", "psnr_whole", "psnr_slices", "sharpness", "fine_energy", "seconds"]
    lines = ["| truncation | method | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for key in dict.fromkeys((row["truncation"], row["method"]) for row in rows):
        chosen = [row for row in rows if (row["truncation"], row["method"]) == key]
        lines.append("| " + " | ".join([*key, *(f"{np.mean([row[name] for row in chosen]):.4g}" for name in names)]) + " |")
    return "\n".join(lines)


def _methods(folder, name, factors, reference, target):
    """Yield (method, seed, function from the truncated Volume to an array)."""
    yield "input as is", "", lambda source: source.frame(0)
    yield "cubic", "", lambda source: cubic(reference, factors)
    for variant in train.VARIANTS:
        for ending, label in (("", variant), ("_last", f"{variant}, last epoch")):
            # Of the adversarial training the epoch with the best L1 is the least adversarial one: show the last as well.
            if ending and variant != "GAN":
                continue
            for seed in SEEDS:
                path = train.network_path(folder, variant, name, seed)
                path = path.with_stem(path.stem + ending)
                if path.exists():
                    yield label, seed, restorer(path, target)


def cubic(reference, factors):
    """Return the scan as measured on the coarse grid, brought back by a cubic spline at the same places of the field of view."""
    coarse = resampled(reference, tuple(max(1, round(side / factor)) for side, factor in zip(reference.shape, factors)))
    steps = [fine / few for fine, few in zip(coarse.shape, reference.shape)]
    # Both grids begin at index -1/2.
    return ndimage.affine_transform(
        coarse, steps, [0.5 * step - 0.5 for step in steps], output_shape=reference.shape, order=3, mode="nearest"
    )


def restorer(path, target):
    """Return the function from a Volume to what the network in a file makes of it, compiled."""
    from keras_mri.systems.network_files import load_network
    from keras_mri.systems.sr import system as sr

    checkpoint = load_network(path)
    # Compile outside the clock, on the middle of the head.
    middle = tuple(slice(side // 2 - 32, side // 2 + 32) for side in target.shape)
    sr.predict(checkpoint, [Volume.from_array(target.frame(0)[middle], target.affine)], sr.PredictConfig()).frame(0)
    return lambda source: sr.predict(checkpoint, [source], sr.PredictConfig()).frame(0)


def _gradient(volume, mask):
    return float(np.sqrt(sum(np.gradient(volume, axis=axis) ** 2 for axis in range(3)))[mask].mean())


def _beyond(volume, factors):
    return float(((volume - truncated(volume, factors)) ** 2).mean())


if __name__ == "__main__":
    main(*sys.argv[1:2])
