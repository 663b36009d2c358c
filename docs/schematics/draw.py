"""Draw the schematics of docs/how-it-works.md: python docs/schematics/draw.py [FOLDER]

Pictures inside are a drawn head; what stands for an output is drawn as well, and is no result.
"""

import io
import pathlib
import sys

import matplotlib
import numpy as np
from PIL import Image
from scipy import ndimage

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent / "gallery"))
from drawn_head import label_head, painted  # noqa: E402

_DPI, _COLOURS, _SIDE = 110, 96, 0.95
# What a box is: a network that learns, one that judges, a fixed operation, a term of the loss.
LEARNS, JUDGES, FIXED, LOSS = "#cfe8e2", "#f6d9c4", "#ececec", "#fdf2c0"


class Sheet:
    """An empty sheet on which boxes, pictures and arrows are placed, in inches from the lower left corner."""

    def __init__(self, width, height):
        self.figure = pyplot.figure(figsize=(width, height))
        self.axes = self.figure.add_axes([0, 0, 1, 1], xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()

    def box(self, centre, text, kind, size=(1.25, 0.6)):
        """Place a box with a text."""
        x, y = centre
        corner = x - size[0] / 2, y - size[1] / 2
        self.axes.add_patch(FancyBboxPatch(corner, *size, boxstyle="round,pad=0.03", facecolor=kind, edgecolor="0.4", linewidth=0.8))
        self.axes.text(x, y, text, ha="center", va="center", fontsize=8.5)

    def picture(self, centre, image, title, colours="gray", limits=(0, 1000)):
        """Place a slice with a title below it."""
        x, y = centre
        half = _SIDE / 2
        extent = (x - half, x + half, y - half, y + half)
        self.axes.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1], extent=extent, interpolation="nearest", aspect="auto")
        self.axes.text(x, y - half - 0.05, title, ha="center", va="top", fontsize=8.5)
        # imshow takes the limits of the axes with it.
        self.axes.set(xlim=(0, self.figure.get_figwidth()), ylim=(0, self.figure.get_figheight()))

    def arrow(self, start, end, text="", bend=0.0, dashed=False):
        """Draw an arrow with a text above its middle."""
        style = dict(arrowstyle="-|>", mutation_scale=9, color="0.25", linewidth=0.9, linestyle="--" if dashed else "-")
        self.axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", shrinkA=0, shrinkB=0, **style))
        if text:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.06
            self.axes.text(*middle, text, ha="center", va="bottom", fontsize=8)

    def note(self, place, text):
        """Write a small text."""
        self.axes.text(*place, text, ha="center", va="center", fontsize=8, color="0.3")

    def save(self, path):
        """Write the sheet in few colours."""
        written = io.BytesIO()
        self.figure.savefig(written, dpi=_DPI, facecolor="white")
        pyplot.close(self.figure)
        image = Image.open(written).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        image.save(path, optimize=True)


def slices(seed=1):
    """Return one slice of a drawn head: clean, and noisy twice."""
    head = painted(label_head((64, 72, 64)), "T1w", seed=seed)[:, :, 34].T[::-1]
    rng = np.random.default_rng(0)
    return head, *(head + rng.normal(0, 130, head.shape) for _ in range(2))


def wgan():
    """Single volumes: noise is added, the U-Net removes it, the critic judges."""
    clean, noisy, _ = slices()
    sheet = Sheet(8.6, 2.9)
    sheet.picture((0.6, 2.2), clean, r"patch $y$")
    sheet.arrow((1.1, 2.2), (2.0, 2.2), r"$+\,\sigma n$")
    sheet.picture((2.5, 2.2), noisy, r"noisy $x$")
    sheet.arrow((3.0, 2.2), (3.45, 2.2))
    sheet.box((4.1, 2.2), "residual U-Net\n$G$", LEARNS)
    sheet.arrow((4.76, 2.2), (5.2, 2.2))
    sheet.picture((5.7, 2.2), ndimage.gaussian_filter(clean, 0.5), r"restored $G(x)$")
    sheet.arrow((6.2, 2.2), (6.85, 2.2))
    sheet.box((7.6, 2.2), "mean absolute\nerror", LOSS)
    sheet.box((5.7, 0.5), "critic $D$", JUDGES)
    sheet.arrow((5.7, 1.42), (5.7, 0.84), "")
    sheet.arrow((0.6, 1.42), (5.03, 0.5), "", bend=0.12)
    sheet.box((7.6, 0.5), "Wasserstein loss,\ngradient penalty", LOSS)
    sheet.arrow((6.36, 0.5), (6.9, 0.5))
    sheet.arrow((0.6, 2.7), (7.6, 2.54), "", bend=-0.04, dashed=True)
    sheet.note((2.6, 0.5), "real and restored patches")
    return sheet


def run():
    """Runs: maps of components, weights for averaging, recorrupted copies."""
    rng = np.random.default_rng(1)
    y, x = np.meshgrid(np.linspace(-1.1, 1.1, 26), np.linspace(-1.2, 1.2, 26), indexing="ij")
    signals = 0 * x, 2.0 * (np.hypot(x, y) < 0.95), 4.0 * (np.hypot(x + 0.1, y - 0.3) < 0.3)
    sheet = Sheet(8.6, 3.5)
    sheet.box((0.75, 2.6), "run\n$y_t$, $t = 1 … T$", FIXED, (1.15, 0.6))
    sheet.arrow((1.36, 2.6), (1.95, 2.6), "÷ σ, basis")
    for number, signal in enumerate(signals):
        noisy, place = signal + rng.normal(0, 1, x.shape), 0.42 * number
        sheet.picture((2.45 + place, 2.85 - 0.25 * number), noisy, "", "coolwarm", (-4, 4))
        smooth = ndimage.gaussian_filter(signal, 0.7) + ndimage.gaussian_filter(rng.normal(0, 1, x.shape), 1.5)
        sheet.picture((6.55 + place, 2.85 - 0.25 * number), smooth, "", "coolwarm", (-4, 4))
    sheet.note((2.5, 1.72), "maps, one for\neach component")
    sheet.arrow((3.82, 2.5), (4.3, 2.5))
    sheet.box((4.95, 2.5), "small U-Net:\nweights of 31\naverages", LEARNS, (1.2, 0.8))
    sheet.arrow((5.6, 2.5), (6.05, 2.5))
    sheet.arrow((7.6, 1.85), (7.6, 1.65))
    sheet.box((7.6, 1.35), "frames,\n+ mean of the run", FIXED, (1.4, 0.5))
    sheet.note((0.75, 1.15), "in training:")
    sheet.box((0.95, 0.45), "$y + n/2$\n+ activations", FIXED, (1.3, 0.6))
    sheet.box((2.6, 0.45), "$y + n/2$\nwithout them", FIXED, (1.3, 0.6))
    sheet.box((4.95, 0.45), "squared error,\nresponse to activations", LOSS, (1.75, 0.6))
    sheet.box((7.6, 0.45), "target: $y - 2n$\n+ activations", FIXED, (1.4, 0.6))
    for start in (1.3, 2.9):
        sheet.arrow((start, 0.8), (4.4, 2.05), "", dashed=True)
    sheet.arrow((4.95, 2.05), (4.95, 0.8), "", dashed=True)
    sheet.arrow((6.85, 0.45), (5.9, 0.45), "", dashed=True)
    return sheet


def n2a():
    """Repetitions: the target of one is the others, then the denoised average."""
    clean, first, second = slices()
    sheet = Sheet(8.6, 2.9)
    sheet.picture((0.65, 2.2), first, "repetition $a$")
    sheet.picture((0.65, 0.75), second, "repetition $b$")
    sheet.arrow((1.2, 2.2), (2.2, 2.2), "input")
    sheet.box((2.95, 2.2), "MU-Net\n(residual) $f$", LEARNS, (1.4, 0.6))
    sheet.arrow((3.7, 2.2), (4.3, 2.2))
    sheet.box((4.95, 2.2), "squared error\nin the mask", LOSS)
    sheet.arrow((1.2, 0.75), (4.6, 1.86), "target", bend=0.1)
    sheet.box((2.95, 0.45), "average $(a+b)/2$", FIXED, (1.4, 0.45))
    sheet.arrow((1.2, 0.5), (2.2, 0.45))
    sheet.arrow((3.7, 0.45), (5.1, 0.6), "$f$")
    sheet.picture((5.7, 0.75), ndimage.gaussian_filter(clean, 0.5), "denoised average")
    sheet.arrow((6.25, 0.9), (5.4, 1.84), "", bend=0.3, dashed=True)
    sheet.note((7.3, 1.5), "target of the next iteration,\nwhile held-out blocks improve")
    return sheet


def sr():
    """Super-resolution: pairs, PatchGAN, and consistency with what was measured."""
    clean, *_ = slices()
    thick = np.repeat(clean.reshape(18, 4, 64).mean(axis=1), 4, axis=0)
    sheet = Sheet(8.6, 2.9)
    sheet.picture((0.65, 2.2), clean, "target $y$")
    sheet.arrow((1.2, 2.2), (2.05, 2.2), "cut k-space,\nor slices $Ay$")
    sheet.picture((2.6, 2.2), thick, "source $x$")
    sheet.arrow((3.1, 2.2), (3.5, 2.2))
    sheet.box((4.1, 2.2), "3D U-Net $G$", LEARNS, (1.1, 0.6))
    sheet.arrow((4.68, 2.2), (5.15, 2.2))
    sheet.picture((5.7, 2.2), ndimage.gaussian_filter(clean, 0.8), "$G(x)$")
    sheet.arrow((6.2, 2.2), (6.85, 2.2))
    sheet.box((7.6, 2.2), "100 × mean\nabsolute error", LOSS)
    sheet.box((5.7, 0.5), "PatchGAN $D$:\na judgement\nfor each place", JUDGES, (1.3, 0.75))
    sheet.arrow((5.7, 1.42), (5.7, 0.93))
    sheet.box((7.6, 0.5), "1 × least squares", LOSS)
    sheet.arrow((6.4, 0.5), (6.93, 0.5))
    sheet.box((2.6, 0.5), "in prediction: least change of $G(x)$\nuntil its slices $A\\,G(x)$ are those measured", FIXED, (3.6, 0.6))
    sheet.arrow((5.3, 1.66), (4.2, 0.84), "", dashed=True)
    return sheet


def ldm():
    """Latent diffusion: autoencoder, noise on latents, denoiser, sampler."""
    clean, *_ = slices()
    latent = ndimage.zoom(clean, 0.22, order=1)
    rng = np.random.default_rng(2)
    noisy = [latent + sigma * rng.normal(0, 400, latent.shape) for sigma in (0, 0.7, 3)]
    sheet = Sheet(8.6, 3.3)
    sheet.picture((0.65, 2.6), clean, "volume")
    sheet.arrow((1.15, 2.6), (1.5, 2.6))
    sheet.box((2.05, 2.6), "encoder", LEARNS, (0.95, 0.55))
    sheet.arrow((2.56, 2.6), (2.9, 2.6))
    sheet.picture((3.4, 2.6), noisy[0], "latent $z_0$\n(KL or codebook)")
    sheet.arrow((3.9, 2.6), (4.7, 2.6), r"$\alpha_t z_0 + \sigma_t\varepsilon$")
    sheet.picture((5.25, 2.6), noisy[1], "$z_t$")
    sheet.arrow((5.75, 2.6), (6.35, 2.6), "…")
    sheet.picture((6.9, 2.6), noisy[2], "noise $z_T$")
    sheet.box((5.25, 0.95), "denoiser: U-Net,\nattention, $t$, label,\nknown part", LEARNS, (1.5, 0.85))
    sheet.arrow((5.25, 1.75), (5.25, 1.43))
    sheet.arrow((6.9, 1.75), (6.05, 1.0), "", bend=-0.2, dashed=True)
    sheet.note((7.45, 1.1), "sampler:\nstep by step back")
    sheet.arrow((4.45, 0.95), (3.95, 0.95), "velocity")
    sheet.box((3.35, 0.95), "sample of\na latent", FIXED, (1.0, 0.6))
    sheet.arrow((2.8, 0.95), (2.55, 0.95))
    sheet.box((2.05, 0.95), "decoder", LEARNS, (0.95, 0.55))
    sheet.arrow((1.55, 0.95), (1.15, 0.95))
    sheet.picture((0.65, 0.95), ndimage.gaussian_filter(clean, 0.8), "new volume")
    return sheet


def cnn():
    """Slices: noise is added, a small network of two levels removes it."""
    clean, noisy, _ = slices()
    sheet = Sheet(8.6, 1.6)
    sheet.picture((0.6, 0.95), clean, "slice $y$")
    sheet.arrow((1.1, 0.95), (2.0, 0.95), r"$+\,\sigma n$")
    sheet.picture((2.5, 0.95), noisy, "noisy $x$")
    sheet.arrow((3.0, 0.95), (3.4, 0.95))
    sheet.box((4.15, 0.95), "2D U-Net of two\nlevels $f$", LEARNS, (1.4, 0.6))
    sheet.arrow((4.9, 0.95), (5.3, 0.95))
    sheet.picture((5.8, 0.95), ndimage.gaussian_filter(clean, 0.6), "denoised $f(x)$")
    sheet.arrow((6.3, 0.95), (6.85, 0.95))
    sheet.box((7.6, 0.95), "mean squared\nerror", LOSS)
    sheet.arrow((0.6, 1.45), (7.6, 1.28), "", bend=-0.03, dashed=True)
    return sheet


SHEETS = (wgan, run, n2a, sr, ldm, cnn)

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    for sheet in SHEETS:
        sheet().save(folder / f"{sheet.__name__}.png")
