"""The doors through which foreign files come in, each as a function of bytes: only an InputError may come out.

`test_hostile_files.py` and experiments/06_fuzz share it; it needs no Keras. A door raises whatever it should not have raised, or an
AssertionError if a file appeared that nobody asked for.
"""

import contextlib
import gzip
import io
import json
import logging
import struct
import warnings

import h5py
import nibabel
import numpy as np

from keras_mri import info
from keras_mri.errors import InputError
from keras_mri.io import header_comparison, nifti_reading, nifti_writing
from keras_mri.io.bids import derivatives
from keras_mri.io.bids.derivatives import carried, write_companions
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.volumes import Volume
from keras_mri.saving import checkpoints
from keras_mri.systems import automatic
from keras_mri.systems.ldm.labelled_runs import repetition_time
from keras_mri.systems.ldm.labels import labels_of_events, read_events, read_volume_labels
from keras_mri.systems.n2a.gradients import check_volumes_repeat, gradients_beside, remark_on_rotation
from keras_mri.systems.sr.pair_sources import read_table
from keras_mri.systems.sr.thick_slices import refinements_of
from tests import python_doors

_SHAPE, _FRAMES = (5, 4, 3), 2
_AFFINE = np.array([[-2.0, 0.3, 0, 31], [0.3, 2.5, 0, -17], [0, 0, 3.0, 4], [0, 0, 0, 1]])
_REFUSED = contextlib.suppress(InputError)


def image(content, folder, name="scan.nii"):
    """Open an image, look at all of it as the systems do, save it, and compare both headers."""
    path, out = folder / name, folder / "out.nii"
    path.write_bytes(content)
    with _REFUSED:
        nifti_reading.read_header(path)
    with _REFUSED:
        volume = nifti_reading.open_image(path)
        for frame in volume.frames():
            assert frame.shape == volume.shape[:3] and np.isfinite(frame).all()
        assert np.isfinite(volume.affine).all() and min(volume.zooms) > 0
        with _REFUSED:
            labels_of_events(read_events(_events_table(folder)), volume.n_frames, repetition_time(volume), 5.0)
        nifti_writing.save(volume, out)
        again = nifti_reading.open_image(out)
        np.testing.assert_array_equal(np.float32(again.frame(0)), np.float32(volume.frame(0)))
        with contextlib.suppress(nifti_reading.NoNiftiError):
            header_comparison.compare(nifti_reading.read_header(path), nifti_reading.read_header(out))
        finer = (2 * volume.shape[0], *volume.shape[1:3])
        nifti_writing.save(on_finer_grid(volume, finer, np.diag([0.5, 1, 1, 1]), lambda t: np.ones(finer, np.float32)), out)
    _check_folder(folder, name, "out.nii", "run.tsv")


def choice(content, folder):
    """Choose the network for a scan, and plan how its slices would be brought to a finer grid."""
    name, side_car = "sub-01_part.nii", "sub-01_part.json"
    scan = _written(folder / name, content)
    spacing = content[88] / 16 if len(content) > 88 else 3
    (folder / side_car).write_text(json.dumps({"SliceThickness": 2.0, "SpacingBetweenSlices": spacing}), encoding="utf-8")
    with _REFUSED:
        volume = nifti_reading.open_image(scan)
        with _REFUSED:
            assert automatic.choose(volume).sentence
        for voxel in (1.0, 0.7):
            with _REFUSED:
                for step in refinements_of(volume, voxel):
                    assert step.voxels > step.slices and step.thickness > 0
    _check_folder(folder, name, side_car)


def compressed_image(content, folder):
    """The same for content that is compressed here, so that its checksum holds."""
    image(gzip.compress(content, 1), folder, "scan.nii.gz")


def damaged_gzip(content, folder):
    """The same for content that should be a compressed image as it is."""
    image(content, folder, "scan.nii.gz")


def pair(content, folder):
    """The same for a header and its data in two files, cut where NIfTI-1 and Analyze headers end."""
    (folder / "scan.img").write_bytes(content[352:])
    with _REFUSED:
        nifti_reading.open_image(_written(folder / "scan.hdr", content[:352]))
    _check_folder(folder, "scan.hdr", "scan.img")


def mgh(content, folder):
    """The same for FreeSurfer's format."""
    image(content, folder, "scan.mgh")


def mask(content, folder):
    """Load what `--mask` and `--missing` name."""
    scan = Volume.from_array(np.arange(60.0).reshape(_SHAPE), _AFFINE, name="scan.nii")
    with _REFUSED:
        assert load_mask(_written(folder / "mask.nii", content), scan).shape == _SHAPE
    _check_folder(folder, "mask.nii")


def network(content, folder):
    """Look into a file that should be HDF5."""
    _look_into(_written(folder / "network.h5", content))
    _check_folder(folder, "network.h5")


def description(content, folder):
    """Look into an HDF5 file whose JSON, network and facts parted by a NUL, is foreign."""
    config, _, facts = content.partition(b"\0")
    path = folder / "network.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs[checkpoints.ATTRIBUTE] = np.bytes_(config), np.bytes_(facts)
        file.create_group("model_weights")
    _look_into(path)
    _check_folder(folder, "network.h5")


def events(content, folder):
    """Read events and label the volumes of a run by them."""
    with _REFUSED:
        assert len(labels_of_events(read_events(_written(folder / "events.tsv", content)), 20, 2.0, 5.0)) == 20
    _check_folder(folder, "events.tsv")


def volume_labels(content, folder):
    """Read one label per volume."""
    with _REFUSED:
        assert len(read_volume_labels(_written(folder / "labels.tsv", content), 3)) == 3
    _check_folder(folder, "labels.tsv")


def pairs_table(content, folder):
    """Read a table of pairs, and open what it names."""
    with _REFUSED:
        for row in read_table(_written(folder / "pairs.tsv", content)):
            with _REFUSED:
                nifti_reading.open_image(row["source"])
    _check_folder(folder, "pairs.tsv")


def gradients(content, folder):
    """Read b-values and b-vectors, parted by a NUL, beside a run, and carry them over to a derivative."""
    values, _, vectors = content.partition(b"\0")
    scan = _written(folder / "sub-01_dwi.nii", _nifti(1, "<", np.int16))
    (folder / "sub-01_dwi.bval").write_bytes(values)
    (folder / "sub-01_dwi.bvec").write_bytes(vectors)
    with _REFUSED:
        volume = nifti_reading.open_image(scan)
        write_companions(folder / "sub-01_desc-denoised_dwi.nii.gz", scan, carried(volume))
        found = gradients_beside(volume)
        assert found is None or (np.isfinite(found.values).all() and np.isfinite(found.vectors).all())
        with _REFUSED:
            check_volumes_repeat(volume)
        remark_on_rotation(volume, volume, 1.0)
    _check_folder(folder, scan.name, "sub-01_dwi.bval", "sub-01_dwi.bvec")


def _written(path, content):
    path.write_bytes(content)
    return path


def _events_table(folder):
    return _written(folder / "run.tsv", b"onset\tduration\ttrial_type\n0\t1\tlh\n1\t1\trh\n")


def _look_into(path):
    for look in (checkpoints.inspect, checkpoints.outline):
        with _REFUSED:
            look(path)
    with _REFUSED:
        facts = info.describe(path)
        json.dumps(facts, indent=1)
        info.lines(facts)


def side_car(content, folder):
    """Read what lies beside a run and its derivative takes over: a side-car, and files that are copied as they are."""
    scan = folder / "sub-01" / "dwi" / "sub-01_dwi.nii"
    out = folder / "sub-01_desc-denoised_dwi.nii.gz"
    scan.parent.mkdir(parents=True, exist_ok=True)
    for ending in (".json", ".bval", ".bvec"):
        scan.with_suffix(ending).write_bytes(content)
    run = Volume.from_array(np.arange(120).reshape(*_SHAPE, _FRAMES), _AFFINE, nibabel.Nifti1Header(), scan)
    run.file = scan
    with _REFUSED:
        assert run.repetition_time is None or 0 < run.repetition_time < np.inf
    taken = derivatives.carried(run)
    derivatives.write_sidecar(out, scan, folder, {}, taken)
    derivatives.write_companions(out, scan, taken)
    assert isinstance(json.loads((folder / "sub-01_desc-denoised_dwi.json").read_text(encoding="utf-8")), dict)
    _check_folder(folder, "sub-01", "sub-01_desc-denoised_dwi.json", "sub-01_dwi.bval", "sub-01_dwi.bvec")


def _check_folder(folder, *expected):
    found = {path.name for path in folder.iterdir()}
    assert found <= set(expected), f"files that nobody asked for: {sorted(found - set(expected))}"


def silence():
    """Hold back the remarks of nibabel and NumPy on damaged files: millions of them."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")


def seeds(door):
    """Return small valid files for a door: list of bytes."""
    return _SEEDS[door]()


def _images():
    return [_nifti(*kind) for kind in ((1, "<", np.int16), (1, ">", np.float32), (2, "<", np.float64), (1, "<", np.uint8))]


def _nifti(version, endianness, dtype):
    kind = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[version]
    shape = _SHAPE if np.dtype(dtype).kind == "u" else (*_SHAPE, _FRAMES)
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(dtype)
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"acquired on a Tuesday"))
    written = kind(np.arange(np.prod(shape)).reshape(shape).astype(dtype), _AFFINE, header)
    written.set_qform(_AFFINE, 1)
    written.header.set_zooms((2.0, 2.5, 3.0, 2.0)[: len(shape)])
    written.header.set_xyzt_units("mm", "sec")
    if np.dtype(dtype).kind == "i":
        written.header.set_slope_inter(0.5, -20)
    return written.to_bytes()


def _pairs():
    written = nibabel.Nifti1Pair(np.arange(60, dtype=np.int16).reshape(_SHAPE), _AFFINE)
    return [_joined(written), _joined(nibabel.Spm99AnalyzeImage(np.arange(60, dtype=np.int16).reshape(_SHAPE), _AFFINE))]


def _joined(written):
    parts = {name: io.BytesIO() for name in written.file_map}
    written.to_file_map({name: nibabel.FileHolder(fileobj=part) for name, part in parts.items()})
    return parts["header"].getvalue().ljust(352, b"\0") + parts["image"].getvalue()


def _mghs():
    written = nibabel.MGHImage(np.arange(120, dtype=np.float32).reshape(*_SHAPE, _FRAMES), _AFFINE)
    return [written.to_bytes()]


def _masks():
    written = nibabel.Nifti1Image((np.arange(60).reshape(_SHAPE) % 3 == 0).astype(np.uint8), _AFFINE)
    return [written.to_bytes()]


LAYERS = [
    {"class_name": "InputLayer", "name": "image", "config": {"name": "image", "batch_shape": [None, 8, 8, 8, 1]}, "inbound_nodes": []},
    {
        "class_name": "Conv3D",
        "name": "head",
        "config": {"name": "head", "filters": 1, "kernel_size": [1, 1, 1]},
        "inbound_nodes": [[["image", 0, 0, {}]]],
    },
]
CONFIG = {
    "class_name": "Functional",
    "config": {"name": "small", "layers": LAYERS, "input_layers": [["image", 0, 0]], "output_layers": [["head", 0, 0]]},
}
TRAINING = {"zooms": [[2.0, 2.5, 3.0]], "sigma": [0.1, 0.2]}
FACTS = {"format": 1, "version": "1", "system": "wgan", "config": {"seed": 3, "scaling": "percentile"}, "training": TRAINING}


def write_network(path, config=CONFIG, facts=FACTS):
    """Write the smallest network that keras_mri reads, without Keras; return `path`."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"], file.attrs[checkpoints.ATTRIBUTE] = np.bytes_(json.dumps(config)), json.dumps(facts)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"head"]
        weights.create_group("head").attrs["weight_names"] = [b"head/kernel", b"head/bias"]
        weights["head/head/kernel"] = np.ones((1, 1, 1, 1, 1), np.float32)
        weights["head"].create_dataset("head/bias", data=np.zeros(1, np.float32), chunks=(1,), compression="gzip")
    return path


def _networks():
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".h5") as file:
        return [write_network(file.name) and file.read()]


def _descriptions():
    return [json.dumps(CONFIG).encode() + b"\0" + json.dumps(FACTS).encode()]


def _event_tables():
    return [b"onset\tduration\ttrial_type\n0\t4\tlh\n6.5\t8\trh\n20\tn/a\tlh\n", b"\xef\xbb\xbfonset\ttrial_type\tduration\n-1\tt\t3\n"]


def _label_tables():
    return [b"volume\tlabel\n0\tlh\n1\tn/a\n2\trh\n"]


def _pairs_tables():
    return [b"subject\tsource\ttarget\tmask\na\ta1.nii.gz\ta2.nii.gz\t\nb\tb1.nii\t/tmp/b2.nii\tm.nii\n"]


def _side_cars():
    text = '{"RepetitionTime": 2.0, "VolumeTiming": [0, 2], "SkullStripped": true, "EchoTime": [0.03, {"a": null}]}'
    return [text.encode(encoding) for encoding in ("utf-8", "utf-8-sig", "utf-16")]


DOORS = {
    "nifti": image,
    "choice": choice,
    "nifti_gz": compressed_image,
    "gzip": damaged_gzip,
    "pair": pair,
    "mgh": mgh,
    "mask": mask,
    "h5": network,
    "description": description,
    "events": events,
    "labels": volume_labels,
    "pairs": pairs_table,
    "side_car": side_car,
    "gradients": gradients,
    "python": python_doors.call,
}
_SEEDS = {
    "nifti": _images,
    "choice": _images,
    "nifti_gz": _images,
    "gzip": lambda: [gzip.compress(content) for content in _images()],
    "pair": _pairs,
    "mgh": _mghs,
    "mask": _masks,
    "h5": _networks,
    "description": _descriptions,
    "events": _event_tables,
    "labels": _label_tables,
    "pairs": _pairs_tables,
    "side_car": _side_cars,
    "gradients": lambda: [b"0 1000\n\x000 1\n0 0\n0 0\n", b"0\n1000\n\x000 0 0\n.6 -.8 0\n"],
    "python": lambda: [bytes([number]) + bytes(60) for number in range(len(python_doors.FUNCTIONS))],
}
# Words that a mutation of single bytes would seldom find.
WORDS = (
    *(struct.pack(kind, value) for kind in ("<f", ">f") for value in (float("nan"), float("inf"), -1.0, 1e30)),
    *(struct.pack(kind, value) for kind in ("<h", ">h", "<i", ">i", "<q", ">q") for value in (-1, 0, 32767, 9)),
    *(b"nan", b"inf", b"-inf", b"1e308", b"-1e308", b"n/a", b"\t", b"\n", b"\r", b'"', b"\0", b"null", b"[]", b"{}", b"1e999"),
    *(b'"class_name"', b'"config"', b'"layers"', b'"batch_shape"', b'"Lambda"', b'"zooms"', b'"module"'),
)
