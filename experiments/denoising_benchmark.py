"""Every denoiser of ours and the filters people use, on one scan with noise drawn: python -m experiments.denoising_benchmark [--quick]

    python -m experiments.denoising_benchmark t1w -o results
    python -m experiments.denoising_benchmark bold --networks wgan_epi my_network.h5 --percent 1 5 15 --noise rician --seeds 0 1 2
    python -m experiments.denoising_benchmark scan.nii.gz --mask mask.nii.gz --baselines none --noise "zero-filled .65"

Many heads, real noise, and what was asked of our networks: experiments/05_pretrained, head_tables.py.
Noise of p % of the maximum is added to a scan. A volume is its own truth; of a run the last frames are taken, their mean is the
truth and the middle frame is scored. PSNR and SSIM are taken where the truth exceeds 10/255 of the maximum (and inside the mask,
if there is one). All methods see the same draw. Writes benchmark.csv, benchmark.md and benchmark.png.
"""

import argparse
import os
import pathlib
import sys
import time
import typing

import matplotlib
import numpy as np

from experiments import noise_kinds
from experiments.baselines import BASELINES, smooth
from experiments.data import FOLDER, adi_t1w, forrest_bold, method_memory, write_rows
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.metrics import psnr, ssim
from keras_mri.imaging.noise import add_gaussian_noise, add_rician_noise
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.systems.network_files import load_network, path_of_network, pretrained_networks

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

PERCENT, SEEDS, MOST_FRAMES = (1, 3, 5, 7, 9, 15), (0, 1, 2), 26
QUICK_PERCENT, QUICK_SEEDS, QUICK_FRAMES, QUICK_SHAPE = (1, 5, 15), (0,), 10, (56, 56, 28)
# The others of noise_kinds.KINDS are drawn frame by frame.
ADD_NOISE = {"gaussian": add_gaussian_noise, "rician": add_rician_noise}
NOISES = (*ADD_NOISE, *(kind for kind in noise_kinds.KINDS if kind not in ("white", "rician", "masked")))
FOREGROUND = 10 / 255
# Networks of pretrained/ that learnt from the head that is shown, or perhaps from it: scored only if they are named.
KNOW_THE_HEAD = {"t1w": ("wgan_epi",), "bold": ("wgan_t1w", "wgan_any", "n2a_t1w", "ldm_epi", "ldm_heads")}
# Voxels, for the Gaussian that is told which width is best.
WIDTHS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)


class Scan(typing.NamedTuple):
    """What is to be restored: frames (x, y, z, t) with a maximum near 1, the scored one, its truth, where it counts, the brain."""

    name: str
    frames: np.ndarray
    tested: int
    truth: np.ndarray
    region: np.ndarray
    mask: np.ndarray
    affine: np.ndarray


class Method(typing.NamedTuple):
    """A denoiser: what it is told, and a function of (noisy frames, σ) that gives the tested frame."""

    kind: str
    restore: typing.Callable


def main(arguments=None):
    """Run the benchmark; see `--help`."""
    parsed = _parser().parse_args(arguments)
    parsed.output.mkdir(parents=True, exist_ok=True)
    percents = parsed.percent or (QUICK_PERCENT if parsed.quick else PERCENT)
    seeds = parsed.seeds or (QUICK_SEEDS if parsed.quick else SEEDS)
    try:
        scan = load_scan(parsed.image, parsed.mask, parsed.quick)
        methods = {**baselines(scan, parsed.baselines), **ours(scan, parsed.networks or strangers(parsed.image))}
    except InputError as error:
        sys.exit(f"denoising_benchmark: error: {error}")
    print(f"{scan.name}: {scan.truth.shape} voxels, {scan.frames.shape[3]} frame(s), {int(scan.region.sum())} voxels scored", flush=True)
    start = time.perf_counter()
    rows = run(scan, methods, percents, parsed.noise, seeds, parsed.baseline_seeds, parsed.output / "benchmark.csv")
    command = "python -m experiments.denoising_benchmark " + " ".join(sys.argv[1:] if arguments is None else arguments)
    few = f", filters with the first {parsed.baseline_seeds}" if parsed.baseline_seeds < len(seeds) else ""
    facts = f"{scan.name}, {parsed.noise} noise, seeds {' '.join(map(str, seeds))}{few}; {time.perf_counter() - start:.0f} s in all."
    (parsed.output / "benchmark.md").write_text(markdown(rows, facts, command), encoding="utf-8")
    draw(rows, parsed.output / "benchmark.png")
    print((parsed.output / "benchmark.md").read_text())


def load_scan(image, mask=None, quick=False):
    """Load the scan to be restored; `image` is a path, or sample, bold, t1w, phantom. Quick: its middle only."""
    if image is None:
        image = "t1w" if (FOLDER / "adi-t1t2").is_dir() else "phantom"
    if image == "phantom":
        data, brain = phantoms.head((96, 96, 64))
        volume = Volume.from_array(data, np.diag([2.0, 2.0, 2.0, 1.0]), name="phantom")
    elif image in ("bold", "t1w"):
        volume, brain = forrest_bold() if image == "bold" else adi_t1w()
    else:
        volume, brain = open_image(image), None
    brain = load_mask(mask, volume) if mask else brain
    count = min(QUICK_FRAMES if quick else MOST_FRAMES, volume.n_frames)
    frames = np.stack([volume.frame(t) for t in range(volume.n_frames - count, volume.n_frames)], axis=-1)
    truth = frames.mean(axis=-1)
    box = _middle(truth, QUICK_SHAPE) if quick else (slice(None),) * 3
    peak = float(truth[box].max())
    frames, truth = np.maximum(frames[box], 0) / np.float32(peak), np.maximum(truth[box], 0) / np.float32(peak)
    region = (truth > FOREGROUND) & (True if brain is None else brain[box])
    if not region.any():
        raise InputError(f"no voxel of {volume.name} exceeds 10/255 of its maximum inside the mask: there is nothing to score.")
    name = pathlib.Path(volume.name).name
    return Scan(name, frames, count // 2, truth, region, region if brain is None else brain[box], volume.affine)


def baselines(scan, wanted):
    """Return the filters by name; `wanted` holds parts of names, or all, or none."""
    middle = scan.tested
    methods = {"input as is": Method("blind", lambda noisy, sigma: noisy[..., middle])}
    methods["Gaussian, best of 8 FWHM"] = Method("told the truth", lambda noisy, sigma: _best_gaussian(noisy[..., middle], scan))
    for name, (function, kind, whole) in BASELINES.items():
        if wanted == ["none"] or (wanted != ["all"] and not any(part.lower() in name.lower() for part in wanted)):
            continue
        if whole and scan.frames.shape[3] > 1:
            methods[name] = Method(kind, lambda noisy, sigma, function=function: function(noisy, sigma, scan.mask)[..., middle])
        elif not whole:
            methods[name] = Method(kind, lambda noisy, sigma, function=function: function(noisy[..., middle], sigma))
    return methods


def strangers(image):
    """List the paths of the pre-trained networks that never saw the head of `image`."""
    known = KNOW_THE_HEAD.get(image or "t1w", ())
    # Runs, and what they must not lose, are scored by experiments.07_runs, finer grids by experiments.04_ldm and 08_super_resolution.
    return sorted({str(path) for path in pretrained_networks().values() if path.stem not in (*known, "wgan_run", "sr_any", "sr_epi")})


def ours(scan, networks):
    """Return our denoisers by name, for files or names of pre-trained networks."""
    methods = {}
    for network in networks if networks != ["none"] else ():
        path = path_of_network(network)
        checkpoint = load_network(path)
        restore = _restorer(scan, checkpoint)
        if restore is None:
            print(
                f"skipped {path.name}: a network of {checkpoint.system} for inputs {checkpoint.network.input_shape[1:]} does not fit",
                flush=True,
            )
            continue
        methods[f"ours: {path.stem}"] = Method("blind", restore)
    return methods


def run(scan, methods, percents, noise, seeds, baseline_seeds, path):
    """Score every method at every noise level; return the rows, written to a CSV file as they come."""
    rows, absent = [], set()
    for number, seed in enumerate(seeds):
        for percent in percents:
            sigma = percent / 100
            noisy = with_noise(scan.frames, noise, sigma, np.random.default_rng([seed, round(1000 * percent)]))
            _check_noise(scan, noisy, sigma, noise)
            for name, method in methods.items():
                # Filters that are told σ differ by hundredths of a decibel from draw to draw.
                if name in absent or (number >= baseline_seeds and not name.startswith(("ours", "input"))):
                    continue
                try:
                    if name.startswith("ours") and not any(row["method"] == name for row in rows):
                        method.restore(noisy, sigma)  # compile outside the clock
                    measured = _measured(method, noisy, sigma)
                except ImportError as error:
                    absent.add(name)
                    print(f"skipped {name}: {error}. pip install -r requirements-experiments.txt", flush=True)
                    continue
                restored, costs = measured
                scores = dict(psnr=psnr(scan.truth, restored, scan.region, 1.0), ssim=ssim(scan.truth, restored, scan.region, 1.0))
                rows.append(dict(method=name, kind=method.kind, noise=noise, percent=percent, seed=seed, **scores, **costs))
                text = f"{scores['psnr']:6.2f} dB  SSIM {scores['ssim']:.4f}  {costs['seconds']:7.2f} s"
                print(f"seed {seed}  {percent:3g} %  {name:28s} {text}", flush=True)
            write_rows(path, rows)
    return rows


def with_noise(frames, noise, sigma, rng):
    """Return frames (x, y, z, t) with noise of one of `NOISES` and this SD."""
    if noise in ADD_NOISE:
        return ADD_NOISE[noise](frames, sigma, rng)
    return np.stack([noise_kinds.add(noise, frames[..., t], sigma, rng) for t in range(frames.shape[3])], axis=-1)


def markdown(rows, facts, command):
    """Write the rows as a Markdown text: PSNR and costs, then SSIM."""
    percents = sorted({row["percent"] for row in rows})
    lines = [f"`{command}`", "", facts, "", "PSNR, dB (mean ± SD over the seeds), and the median costs of one volume on this machine:", ""]
    columns = ["method", "told", *(f"p = {percent:g}" for percent in percents), "seconds", "CPU s", "peak MB"]
    costs = ("seconds", "cpu_seconds", "peak_mb")
    lines += _table(columns, [[*_scores(chosen, percents, "psnr", 2), *_costs(chosen, costs)] for chosen in _by_method(rows)])
    lines += ["", "SSIM:", ""]
    lines += _table(columns[:-3], [_scores(chosen, percents, "ssim", 4) for chosen in _by_method(rows)])
    return "\n".join(lines) + "\n"


def draw(rows, path):
    """Draw PSNR against the noise, and seconds against PSNR at the middle noise level."""
    percents = sorted({row["percent"] for row in rows})
    middle = percents[len(percents) // 2]
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5), layout="constrained")
    for chosen in _by_method(rows):
        name, mine = chosen[0]["method"], chosen[0]["method"].startswith("ours")
        levels = sorted({row["percent"] for row in chosen})
        means = {level: np.mean([row["psnr"] for row in chosen if row["percent"] == level]) for level in levels}
        style = ":" if name == "input as is" else "-" if mine else "--"
        (line,) = left.plot(levels, list(means.values()), style, marker="o" if mine else ".", linewidth=2 if mine else 1, label=name)
        if middle in means and name != "input as is":
            seconds = np.median([row["seconds"] for row in chosen])
            right.scatter(seconds, means[middle], color=line.get_color(), marker="o" if mine else "x")
            # On the other side of the point, so that it can be read where a filter is as fast.
            aside = dict(xytext=(-6, 3), ha="right", weight="bold") if mine else dict(xytext=(5, 3))
            right.annotate(name, (seconds, means[middle]), textcoords="offset points", fontsize=8, **aside)
    left.set(xlabel="noise SD p, % of the maximum", ylabel="PSNR in the foreground, dB")
    right.set(xlabel="seconds for one volume", ylabel=f"PSNR at p = {middle:g}, dB", xscale="log")
    right.margins(x=0.35)
    left.legend(fontsize=8)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _restorer(scan, checkpoint):
    """Return what applies a network of ours to the tested frame; None if it is no denoiser, or sees more frames than there are."""
    from keras_mri.systems import get_settings, get_system

    frames, middle = checkpoint.network.input_shape[-1], scan.tested
    if checkpoint.system == "n2a" and frames == 1 and checkpoint.inference.get("scaling") == "percentile":
        return lambda noisy, sigma: _restored_alone(checkpoint.network, noisy[..., middle])
    if checkpoint.system not in ("wgan", "cnn") or frames > scan.frames.shape[3]:
        return None
    system, options = get_system(checkpoint.system), get_settings(checkpoint.system).PredictConfig()

    def restore(noisy, sigma):
        # A network of single frames is given the tested one only.
        window, t = (noisy, middle) if frames > 1 else (noisy[..., middle], 0)
        return system.predict(checkpoint, [Volume.from_array(window, scan.affine)], options).frame(t)

    return restore


def _restored_alone(network, noisy):
    """Apply a network of Noise2Average to a single scan, as it does to the average of repetitions."""
    from keras_mri.imaging.intensity import fit_scaling
    from keras_mri.inference.tiles import predictor

    scaling = fit_scaling(noisy)
    restored = scaling.invert(predictor(network, noisy.shape)(scaling.apply(noisy)[..., None]))
    return np.maximum(restored, 0) if noisy.min() >= 0 else restored


def _best_gaussian(noisy, scan):
    smoothed = [smooth(noisy, width) for width in WIDTHS]
    return max(smoothed, key=lambda restored: psnr(scan.truth, restored, scan.region, 1.0))


def _measured(method, noisy, sigma):
    """Return the restored frame, and seconds, CPU seconds and peak memory of making it."""
    with method_memory() as memory:
        wall, cpu = time.perf_counter(), time.process_time()
        restored = np.asarray(method.restore(noisy, sigma), np.float32)
        costs = dict(seconds=time.perf_counter() - wall, cpu_seconds=time.process_time() - cpu)
    return restored, {**costs, "peak_mb": memory.peak_mb}


def _check_noise(scan, noisy, sigma, noise):
    """Stop unless Gaussian noise on a volume has the PSNR that follows from its SD: else no row would mean anything."""
    if noise != "gaussian" or scan.frames.shape[3] > 1:
        return
    # -20 log10 σ: 40.00, 30.46, 26.02, 23.10, 20.92, 16.48 dB for 1, 3, 5, 7, 9, 15 %.
    found, wanted = psnr(scan.truth, noisy[..., 0], scan.region, 1.0), -20 * np.log10(sigma)
    # The SD of a mean square of n normal variables is sqrt(2 / n) of it; five of these, in dB.
    allowed = 5 * 10 / np.log(10) * np.sqrt(2 / scan.region.sum())
    if abs(found - wanted) > allowed:
        raise AssertionError(f"noise of SD {sigma} has a PSNR of {found:.3f} dB instead of {wanted:.3f}")


def _by_method(rows):
    return [[row for row in rows if row["method"] == method] for method in dict.fromkeys(row["method"] for row in rows)]


def _scores(chosen, percents, score, digits):
    cells = [chosen[0]["method"], chosen[0]["kind"]]
    for percent in percents:
        values = [row[score] for row in chosen if row["percent"] == percent]
        spread = f" ± {np.std(values):.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.{digits}f}{spread}" if values else "")
    return cells


def _costs(chosen, names):
    return [f"{np.median([row[name] for row in chosen]):{'.0f' if name == 'peak_mb' else '.2f'}}" for name in names]


def _table(columns, rows):
    return ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]


def _middle(data, shape):
    """Return a box of at most this shape around the centre of mass."""
    centre = [
        np.average(np.arange(side), weights=data.sum(axis=tuple(a for a in range(3) if a != axis)) + 1e-9)
        for axis, side in enumerate(data.shape)
    ]
    starts = [int(np.clip(round(c - size / 2), 0, max(0, side - size))) for c, size, side in zip(centre, shape, data.shape)]
    return tuple(slice(start, start + size) for start, size in zip(starts, shape))


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m experiments.denoising_benchmark", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "image", nargs="?", help="NIfTI, or: t1w, bold (of experiments/data.py), sample, phantom (default: t1w if there, else phantom)"
    )
    parser.add_argument("--mask", help="where to score, NIfTI on the image's grid")
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="MODEL",
        help="files or names of pre-trained networks, or none (default: those of pretrained/ that never saw the head)",
    )
    parser.add_argument("--baselines", nargs="+", default=["all"], metavar="NAME", help="parts of names; all or none (default: all)")
    parser.add_argument("--percent", nargs="+", type=float, metavar="P", help=f"noise SD, %% of the maximum (default: {PERCENT})")
    parser.add_argument("--noise", choices=NOISES, default="gaussian")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help=f"of the noise (default: {SEEDS})")
    parser.add_argument("--baseline-seeds", type=int, default=1, metavar="N", help="so many of the seeds for filters (default: 1)")
    parser.add_argument("--quick", action="store_true", help=f"the middle {QUICK_SHAPE} voxels, p = {QUICK_PERCENT}, one seed")
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path("benchmark"), help="folder (default: benchmark)")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
