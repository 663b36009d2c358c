"""The functions that Python users call, each as a function of bytes that choose its arguments: only an InputError may come out.

`test_hostile_files.py` and experiments/06_fuzz share it, as they share doors.py; it needs no Keras.
"""

import contextlib
import datetime
import pathlib
import struct

import nibabel
import numpy as np

import keras_mri
from keras_mri.errors import InputError

_REFUSED = contextlib.suppress(InputError)
_SIDES = (5, 3, 8, 12, 2, 30, 1, 0)
_DTYPES = (*("<f4",) * 14, ">f8", "<f2", "i1", "<i2", ">u2", "<u8", "?", "<c8", "U3", "O", "<M8[s]", "V4", "<f4")
_VALUES = (0.0, 1.0, -1.0, 1e6, 1e-30, 3e38, -32767.0, 0.5, np.nan, np.inf)
_OTHERS = (
    *(None, True, 3, -2.5, "", "sample", "no such file.nii", b"scan.nii", [], {}, (1, 2, 3), pathlib.Path(), object(), float("nan")),
    10**400,
)
_OPTIONS = ("mirror", "tile", "precision", "mask", "keep", "task", "missing", "steps", "seed", "time_budget", "patch_shape", "noise_range",
            "label", "upsample", "scaling", "frames", "filters", "initial", "epochs", "data")  # fmt: skip


class Choices:
    """Bytes as a row of choices; when they end, the first of everything is chosen.

    Parameters
    ----------
    content : bytes
    folder : pathlib.Path
        For what is written.
    """

    def __init__(self, content, folder):
        self.content, self.place, self.folder = content, 0, folder

    def byte(self):
        """Return the next byte as an int."""
        self.place += 1
        return self.content[self.place - 1] if self.place <= len(self.content) else 0

    def one_of(self, values):
        """Return one of a sequence."""
        return values[self.byte() % len(values)]

    def number(self):
        """Return any number of 64 bits, one that is often harmful, or a whole one."""
        kind = self.byte() % 4
        if kind == 0:
            return self.one_of(_VALUES)
        if kind == 1:
            return self.byte() - 128
        raw = bytes(self.byte() for _ in range(8))
        return struct.unpack("<d" if kind == 2 else "<q", raw)[0]

    def text(self):
        """Return a short text, any bytes in it."""
        return bytes(self.byte() for _ in range(self.byte() % 9)).decode("latin-1")

    def array(self):
        """Return an array of any type and of up to six dimensions: ramps, constants, harmful values, all mixed."""
        shape = tuple(self.one_of(_SIDES) for _ in range(self.one_of((4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 0, 1, 2, 5, 6))))
        shape = shape if np.prod(shape, dtype=float) < 30_000 else shape[:3]
        data = np.random.default_rng(self.byte()).normal(100, 10, shape).astype(np.float32)
        for _ in range(self.byte() % 4):
            if data.size:
                data.flat[self.byte() * 7 % data.size] = self.number()
        if self.byte() % 32 == 9:
            data = np.full(shape, self.one_of(_VALUES), np.float32)
        try:
            return data.astype(self.one_of(_DTYPES))
        except (TypeError, ValueError, OverflowError):
            return data

    def affine(self):
        """Return an affine, or something in its place."""
        kind = self.byte() % 8
        if kind == 6:
            return self.anything()
        if kind == 7:
            return self.array()
        affine = np.diag([-2.0, 2.0, 3.0, 1.0])
        for _ in range(kind % 3):
            affine[self.byte() % 4, self.byte() % 4] = self.number()
        return affine

    def header(self):
        """Return a header with fields of any value, or None."""
        if self.byte() % 2:
            return None
        header = self.one_of((nibabel.Nifti1Header, nibabel.Nifti2Header))()
        for _ in range(self.byte() % 4):
            name = self.one_of(sorted(header.keys()))
            value = np.frombuffer(bytes(self.byte() for _ in range(8)) * 20, np.uint8)
            header[name] = value[: header[name].nbytes].view(header[name].dtype).reshape(header[name].shape)
        return header

    def nibabel_image(self):
        """Return an image of nibabel's; where nibabel refuses it, an ordinary one."""
        kind = self.one_of((nibabel.Nifti1Image, nibabel.Nifti2Image, nibabel.MGHImage, nibabel.Nifti1Pair, nibabel.AnalyzeImage))
        try:
            return kind(self.array(), self.affine(), self.header() if kind is not nibabel.MGHImage else None)
        except Exception:  # nibabel's own, before we get it
            return nibabel.Nifti1Image(np.ones((3, 3, 3), np.float32), np.eye(4))

    def image(self):
        """Return an image in one of its forms, or something in its place."""
        kind = self.byte() % 8
        if kind < 3:
            return self.nibabel_image()
        if kind < 5:
            return self.volume()
        if kind == 5:
            return self.array()
        return self.anything()

    def volume(self):
        """Return a Volume of any array."""
        return keras_mri.Volume.from_array(self.array(), self.affine(), self.header(), self.one_of(("scan", "", "a\nb", None)))

    def anything(self):
        """Return what no function asks for."""
        kind = self.byte() % 4
        if kind == 0:
            return self.one_of(_OTHERS)
        if kind == 1:
            return self.number()
        return self.text() if kind == 2 else datetime.timedelta(1)

    def options(self):
        """Return options by name, mostly of names that there are."""
        values = (self.anything, self.number, self.text, self.array, lambda: (self.number(), self.number()))
        return {self.one_of(_OPTIONS): self.one_of(values)() for _ in range(self.byte() % 4)}

    def image_or_none(self):
        """Return an image, or None."""
        return self.image() if self.byte() % 2 else None

    def number_or_none(self):
        """Return a number, None, or something in its place."""
        return self.one_of((lambda: None, self.number, self.anything))()


def _open(choices):
    volume = keras_mri.open_image(choices.image(), bool(choices.byte() % 2))
    assert all(np.isfinite(frame).all() and frame.shape == volume.shape[:3] for frame in volume.frames())
    repr(volume)
    assert volume.to_nibabel().shape == volume.shape


def _save(choices):
    path = choices.folder / choices.one_of(("out.nii", "out.nii.gz", "out.txt", "no/out.nii", ".nii", "out.mgz"))
    volume, dtype = keras_mri.open_image(choices.image()), choices.one_of(("float32", "int16", "uint8", "float64", "complex", None, 3))
    volume.save(path, dtype=dtype, overwrite=bool(choices.byte() % 2))
    again = keras_mri.open_image(path) if volume.extremes[0] < volume.extremes[1] else volume
    assert again.shape[:3] == volume.shape[:3]


def _noise(choices):
    sigma = keras_mri.estimate_noise(choices.image(), choices.image_or_none())
    assert sigma >= 0 and np.isfinite(sigma)


def _channels(choices):
    run = choices.anything() if choices.byte() % 4 == 3 else choices.array()
    assert np.isfinite(keras_mri.run_channels(run, choices.number_or_none()).channels).all()


def _evaluate(choices):
    first = choices.image()
    second = choices.image() if choices.byte() % 2 else first
    keras_mri.evaluate(first, second, choices.image_or_none(), choices.number_or_none())


def _judge(choices):
    first = choices.image()
    second = choices.image() if choices.byte() % 2 else first
    keras_mri.judge(first, second, choices.image_or_none())


def _plot(choices):
    first = choices.image()
    second = choices.image() if choices.byte() % 2 else first
    where = choices.one_of((lambda: None, lambda: (choices.number(), choices.number(), 1), choices.anything))()
    path = choices.one_of((lambda: None, choices.anything))() if choices.byte() % 8 == 0 else None
    figure = keras_mri.plot(first, second, frame=choices.number_or_none(), where=where, path=path)
    figure.set_dpi(20)
    assert figure._repr_png_()


def _headers(choices):
    keras_mri.compare_headers(choices.image(), choices.image())


def _restore(choices):
    network = choices.one_of(("epi", "t1w", "run", "ldm_epi", "no such network", None, b"epi"))
    # One image more than any network takes: options and images are looked at, and nothing is computed.
    keras_mri.restore(network, [choices.image(), choices.image(), "no such file.nii"], **choices.options())
    raise AssertionError("a file that is not there was restored")


def _fit(choices):
    system = choices.one_of(("wgan", "n2a", "sr", "cnn", "ldm", "gan", None, 5))
    images = [choices.image(), "no such file.nii"]
    devices = choices.one_of((lambda: 1, lambda: "all", choices.anything))()
    keras_mri.fit(system, images, preset=choices.one_of((None, "published", "x", 3)), devices=devices, **choices.options())
    raise AssertionError("a file that is not there was trained on")


def _sample(choices):
    keras_mri.sample(choices.one_of(("ldm_heads", "epi", None, "x")), choices.one_of((0, -1, "2", None, True, 2.5)), **choices.options())
    raise AssertionError("no number was drawn")


FUNCTIONS = {
    "open_image": _open,
    "save": _save,
    "estimate_noise": _noise,
    "run_channels": _channels,
    "evaluate": _evaluate,
    "judge": _judge,
    "plot": _plot,
    "compare_headers": _headers,
    "restore": _restore,
    "fit": _fit,
    "sample": _sample,
}


def call(content, folder):
    """Call one of the functions with arguments that the bytes choose.

    Parameters
    ----------
    content : bytes
    folder : pathlib.Path
        Empty.
    """
    choices = Choices(content, folder)
    with _REFUSED:
        choices.one_of(list(FUNCTIONS.values()))(choices)
    found = {path.name for path in folder.iterdir()}
    assert found <= {"out.nii", "out.nii.gz", "out.mgz"}, f"files that nobody asked for: {sorted(found)}"
