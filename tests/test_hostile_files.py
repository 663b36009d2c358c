"""Files that somebody damaged or made to do harm: an InputError that says why, no hang, and little memory, at every door.

The doors and their valid files are in doors.py; experiments/06_fuzz feeds them a million inputs. Here are a few of each, and the cases
that chance would not find.
"""

import contextlib
import gzip
import io as io_module
import json
import struct
import tracemalloc
import warnings
import zipfile

import h5py
import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import io

from keras_mri import info
from keras_mri.errors import CheckpointError, ForeignNetworkError, InputError
from keras_mri.io import nifti_reading
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_headers import on_finer_grid
from keras_mri.io.volumes import Volume
from keras_mri.saving import checkpoints, keras_files
from keras_mri.systems.ldm.labelled_runs import repetition_time
from keras_mri.systems.ldm.labels import Event, labels_of_events, read_events, read_volume_labels
from keras_mri.systems.sr.pair_sources import open_pairs, read_table
from keras_mri.systems.sr.settings import Config
from tests import doors

pytestmark = pytest.mark.filterwarnings("ignore")

_FEW = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
_SHAPE = (5, 4, 3)
_HARMLESS = 90e6  # bytes


@pytest.fixture
def little_memory():
    """Fail where Python and NumPy together held more than a small file can need."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < _HARMLESS, f"{peak / 1e6:.0f} MB"


# --- chance ------------------------------------------------------------------------------------------------------------


@st.composite
def _damaged(draw, door):
    """Draw a valid file, overwritten in places, with words put in, or cut off."""
    content = bytearray(draw(st.sampled_from(doors.seeds(door))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content)))
        word = draw(st.sampled_from(doors.WORDS) | st.binary(max_size=6))
        content[place : place + draw(st.sampled_from([0, len(word)]))] = word
    return bytes(content[: draw(st.sampled_from([None, None, len(content) // 2, 10]))])


@pytest.mark.parametrize("door", doors.DOORS)
def test_of_a_damaged_file_only_an_input_error_comes_out(door, tmp_path_factory):
    @_FEW
    @given(_damaged(door))
    def feed(content):
        doors.DOORS[door](content, tmp_path_factory.mktemp(door))

    feed()


@pytest.mark.parametrize("door", doors.DOORS)
def test_of_any_bytes_only_an_input_error_comes_out(door, tmp_path_factory):
    @_FEW
    @given(st.binary(max_size=600))
    def feed(content):
        doors.DOORS[door](content, tmp_path_factory.mktemp(door))

    feed()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Header, nibabel.Nifti2Header])
def test_of_any_field_of_a_header_only_an_input_error_comes_out(kind, tmp_path_factory):
    fields = kind.template_dtype.fields

    @settings(_FEW, max_examples=60)
    @given(st.lists(st.sampled_from(sorted(set(fields) - {"sizeof_hdr", "magic"})), max_size=3), st.randoms(use_true_random=False))
    def feed(names, random):
        content = bytearray(doors.seeds("nifti")[0 if kind is nibabel.Nifti1Header else 2])
        for name in names:
            dtype, place = fields[name][:2]
            content[place : place + dtype.itemsize] = random.randbytes(dtype.itemsize)
        doors.image(bytes(content), tmp_path_factory.mktemp("header"))

    feed()


# --- images that lie ---------------------------------------------------------------------------------------------------


def _lying(path, kind=nibabel.Nifti1Header, extension=b"\0\0\0\0", data=bytes(range(240)), **fields):
    """Write a file of 5×4×3 bytes or four times that, but for the fields named; return its path."""
    header = kind()
    header.set_data_shape(_SHAPE)
    header.set_data_dtype(np.uint8)
    header.set_sform(np.diag([2.0, 2.5, 3.0, 1.0]), 1)
    header["magic"], header["vox_offset"] = header.single_magic, header.single_vox_offset
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + extension + data
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def _refused(path, match):
    with pytest.raises(InputError, match=match):
        nifti_reading.open_image(path)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
@pytest.mark.parametrize(
    ("kind", "dim", "size"),
    [
        (nibabel.Nifti1Header, [3, 30000, 30000, 30000, 1, 1, 1, 1], "27 TB"),
        (nibabel.Nifti1Header, [4, 5, 4, 3, 30000, 1, 1, 1], "1.8 MB"),
        (nibabel.Nifti2Header, [3, 2**40, 2**40, 2**40, 1, 1, 1, 1], r"1.33e\+24 TB"),
    ],
)
def test_a_header_that_claims_more_than_its_file_is_refused_before_it_is_believed(tmp_path, little_memory, name, kind, dim, size):
    path = _lying(tmp_path / name, kind, dim=dim)
    _refused(path, rf"^{path} is truncated or damaged: its header claims the shape .*, {size}, and the file holds .* bytes. Copy or")


def test_a_compressed_file_is_looked_through_before_a_frame_of_its_claim_is_held(tmp_path, little_memory):
    # 2 MB that do not compress, and a claim of 1 GB, which deflate could just hold.
    path = _lying(tmp_path / "scan.nii.gz", dim=[3, 1000, 1000, 1000, 1, 1, 1, 1], data=np.random.default_rng(0).bytes(2_000_000))
    _refused(path, "claims the shape .1000, 1000, 1000., 1 GB, and the file holds 2 MB")


def test_a_mask_that_compresses_well_is_believed(tmp_path):
    data = np.zeros((128, 128, 64), np.uint8)
    data[60:70, 60:70, 30:40] = 1
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "mask.nii.gz")
    assert (tmp_path / "mask.nii.gz").stat().st_size < data.size / 100
    np.testing.assert_array_equal(nifti_reading.open_image(tmp_path / "mask.nii.gz").frame(0), data)


def test_a_volume_larger_than_the_memory_is_refused(tmp_path, little_memory):
    path = _lying(tmp_path / "scan.nii", dim=[3, 10000, 10000, 10000, 1, 1, 1, 1])
    with open(path, "r+b") as file:
        file.truncate(352 + 10000**3)  # sparse: the disk holds a few blocks of it
    _refused(path, r"scan.nii is too large: a volume of the shape \(10000, 10000, 10000\) needs 13 TB of memory, and .* are free. Crop")


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        (dict(dim=[3, -5, -4, 3, 1, 1, 1, 1]), r"is damaged: it claims the shape \(-5, -4, 3\)"),
        (dict(dim=[3, 0, 4, 3, 1, 1, 1, 1]), r"is damaged: it claims the shape \(0, 4, 3\)"),
        (dict(dim=[4, 5, 4, 3, -1, 1, 1, 1]), r"is damaged: it claims the shape \(5, 4, 3, -1\)"),
        (dict(dim=[9, 5, 4, 3, 1, 1, 1, 1]), "cannot be read as an image"),
        (dict(dim=[-3, 5, 4, 3, 1, 1, 1, 1]), "cannot be read as an image"),
        (dict(vox_offset=1e6), "its header claims the shape .*, 1 MB, and the file holds 592 bytes"),
        (dict(vox_offset=-1e6), "cannot be read as an image"),
        (dict(vox_offset=np.nan), "cannot be read as an image"),
        (dict(vox_offset=np.inf), "cannot be read as an image"),
        (dict(datatype=32, bitpix=64), "must hold real numbers. Received: complex"),
        (dict(datatype=7777), "cannot be read as an image"),
        (dict(scl_slope=1, scl_inter=np.nan), "cannot be read as an image"),
        (dict(scl_slope=3e38), "has NaN or infinity in .* voxels"),
        (
            dict(srow_x=[np.nan, 0, 0, 0]),
            "must say where its voxels lie. Received: an affine that is not finite, or gives voxels no volume",
        ),
        (dict(srow_x=[2, 0, 0, np.inf]), "must say where its voxels lie"),
        (dict(srow_x=[0, 0, 0, 0]), "must say where its voxels lie"),
        (dict(srow_x=[1e30, 0, 0, 0]), "must say where its voxels lie"),
        (dict(srow_x=[0, 2, 0, 0]), "must say where its voxels lie"),
        (dict(sform_code=0, qform_code=1, quatern_b=5), "cannot be read as an image"),
        (dict(extension=b"\1\0\0\0", vox_offset=400), "an extension claims 50462976 bytes where there is room for 48"),
        (dict(extension=b"\1\0\0\0" + struct.pack("<ii", 0, 4), vox_offset=400), "an extension claims 0 bytes where there is room for 48"),
        (dict(extension=b"\1\0\0\0" + struct.pack("<ii", -16, 4), vox_offset=400), "an extension claims -16 bytes"),
        (dict(extension=b"\1\0\0\0" + struct.pack("<ii", 2**31 - 16, 4), vox_offset=1e9), "an extension claims 2147483632 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_every_field_that_cannot_be_is_refused(tmp_path, little_memory, name, fields, match):
    _refused(_lying(tmp_path / name, **fields), match)


@pytest.mark.parametrize("slope", [0, np.nan, np.inf])
def test_a_slope_that_means_none_is_none(tmp_path, slope):
    # The standard: "if scl_slope is nonzero"; nibabel takes what is not finite likewise.
    volume = nifti_reading.open_image(_lying(tmp_path / "scan.nii", scl_slope=slope, scl_inter=7))
    np.testing.assert_array_equal(volume.frame(0).ravel(order="F"), np.arange(60))


def test_an_extension_may_not_unpack_a_bomb(tmp_path, little_memory):
    # 200 kB on disk; the extension would read the 200 MB of zeros behind it.
    bomb = struct.pack("<ii", 0, 4) + bytes(200_000_000)
    path = tmp_path / "scan.nii.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(_lying(tmp_path / "plain.nii", extension=b"\1\0\0\0", vox_offset=352 + 64, data=b"").read_bytes())
        file.write(bomb)
    del bomb
    tracemalloc.reset_peak()
    for read in (nifti_reading.open_image, nifti_reading.read_header):
        with pytest.raises(InputError, match="an extension claims 0 bytes where there is room for 64"):
            read(path)


@pytest.mark.parametrize("units", range(256))
def test_units_that_the_standard_does_not_know_are_seconds(tmp_path, units):
    path = _lying(tmp_path / "run.nii", dim=[4, 5, 4, 3, 4, 1, 1, 1], pixdim=[1, 2, 2.5, 3, 60, 1, 1, 1], xyzt_units=units)
    # 60 µs, which cannot be, are read as 60 ms.
    expected = {16: 0.06, 24: 0.06}.get(units & 0b111000, 60.0)
    assert repetition_time(nifti_reading.open_image(path)) == pytest.approx(expected)


@pytest.mark.parametrize("step", [np.inf, np.nan, -2.0, 0.0])
def test_a_repetition_time_that_is_none(tmp_path, step):
    path = _lying(tmp_path / "run.nii", dim=[4, 5, 4, 3, 4, 1, 1, 1], pixdim=[1, 2, 2.5, 3, step, 1, 1, 1])
    with pytest.raises(InputError, match="says no repetition time"):
        repetition_time(nifti_reading.open_image(path))


@pytest.mark.parametrize("field", [dict(quatern_b=5.0), dict(qoffset_x=np.nan)])
def test_a_damaged_qform_beside_a_good_sform_is_given_up(tmp_path, field):
    volume = nifti_reading.open_image(_lying(tmp_path / "scan.nii", qform_code=1, **field))
    finer = on_finer_grid(volume, (10, 4, 3), np.diag([0.5, 1, 1, 1]), lambda t: np.ones((10, 4, 3), np.float32))
    assert (int(finer.header["qform_code"]), int(finer.header["sform_code"])) == (0, 1)
    np.testing.assert_allclose(finer.header.get_sform(), np.diag([1.0, 2.5, 3.0, 1.0]))


@pytest.mark.parametrize("zoom", [np.inf, np.nan, 0.0, -1.0])
def test_a_qform_whose_zooms_are_none_gets_those_of_the_sform(tmp_path, zoom):
    volume = nifti_reading.open_image(_lying(tmp_path / "scan.nii", qform_code=1, pixdim=[1, zoom, 1, 1, 1, 1, 1, 1]))
    finer = on_finer_grid(volume, (10, 4, 3), np.diag([0.5, 1, 1, 1]), lambda t: np.ones((10, 4, 3), np.float32))
    assert (int(finer.header["qform_code"]), int(finer.header["sform_code"])) == (1, 1)
    for form in (finer.header.get_qform(), finer.header.get_sform()):
        np.testing.assert_allclose(form, np.diag([1.0, 2.5, 3.0, 1.0]), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scan.mnc", b"\x89HDF\r\n\x1a\n" + bytes(600)),
        ("scan.mnc", b"CDF\x01" + bytes(600)),
        ("scan.par", b"# === DATA DESCRIPTION FILE\n" * 30),
        ("scan.gii", b"<?xml version='1.0'?><GIFTI ExternalFileName='/etc/passwd'/>" * 10),
        ("scan.HEAD", b"type = string-attribute\n" * 30),
        ("scan.dscalar.nii", b"\x1c\x02" + bytes(700)),
    ],
)
def test_formats_that_are_not_named_are_not_tried(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    _refused(tmp_path / name, rf"{name} cannot be read as an image: .* Expected NIfTI \(.nii, .nii.gz\), Analyze or MGH")


def test_an_affine_of_spm_is_no_place_for_more(tmp_path):
    image = nibabel.Spm99AnalyzeImage(np.arange(60, dtype=np.int16).reshape(_SHAPE), np.diag([-2.0, 2.5, 3.0, 1.0]))
    image.to_filename(tmp_path / "scan.img")
    nifti_reading.open_image(tmp_path / "scan.img")
    for content in (b"no MATLAB file", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM" + bytes(400)):
        (tmp_path / "scan.mat").write_bytes(content)
        _refused(tmp_path / "scan.img", "scan.img cannot be read as an image")
    io.savemat(tmp_path / "scan.mat", {"M": np.zeros((1000, 100))})
    _refused(tmp_path / "scan.img", "scan.mat should hold the affine of .*scan.img. Received: 800.* bytes. Move it away, or correct it")


def test_a_surface_that_no_nifti_header_holds(tmp_path):
    nibabel.MGHImage(np.arange(80000, dtype=np.float32).reshape(40000, 2, 1), np.eye(4)).to_filename(tmp_path / "lh.mgz")
    _refused(tmp_path / "lh.mgz", "lh.mgz does not fit into a NIfTI header: .* Save it as NIfTI-2")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "scan.nii/inside"])
def test_a_name_that_no_file_can_have(name):
    for read in (nifti_reading.open_image, nifti_reading.read_header, checkpoints.inspect, read_events, read_table):
        with pytest.raises(InputError, match=r"is not a file|must end in"):
            read(name)


def test_a_mask_that_lies_is_no_mask(tmp_path, little_memory):
    scan = Volume.from_array(np.arange(60.0).reshape(_SHAPE), np.diag([2.0, 2.5, 3.0, 1.0]))
    with pytest.raises(InputError, match="mask.nii is truncated or damaged"):
        load_mask(_lying(tmp_path / "mask.nii", dim=[3, 30000, 30000, 30000, 1, 1, 1, 1]), scan)
    with pytest.raises(InputError, match="must be binary"):
        load_mask(_lying(tmp_path / "mask.nii"), scan)


# --- networks that do harm ---------------------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    """The smallest network that keras_mri reads."""
    return doors.write_network(tmp_path / "network.h5")


def _network_refused(path, match):
    for read in (checkpoints.inspect, checkpoints.load, info.describe):
        with pytest.raises(CheckpointError, match=match):
            read(path)


def test_the_network_that_the_cases_below_spoil_is_good(path):
    assert checkpoints.load(path).network.count_params() == 2
    assert info.describe(path)["network"] == {"name": "small", "input_shape": [8, 8, 8, 1], "parameters": 2}


def test_what_points_out_of_the_file_is_refused_by_name(path, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_bytes(bytes(400))
    other = doors.write_network(tmp_path / "other.h5")

    def external_link(group):
        group["kernel"] = h5py.ExternalLink(str(other), "model_weights/head/head/kernel")

    def link(group):
        group["kernel"] = h5py.SoftLink("/model_weights/head/head/kernel")

    def ring(group):
        group["one"], group["kernel"] = h5py.SoftLink(group.name + "/kernel"), h5py.SoftLink(group.name + "/one")

    def raw(group):
        group.create_dataset("kernel", (100,), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])

    def virtual(group):
        layout = h5py.VirtualLayout((1,), "f4")
        layout[:] = h5py.VirtualSource(str(other), "model_weights/head/head/bias", (1,))
        group.create_virtual_dataset("kernel", layout)

    for spoil in (external_link, link, ring, raw, virtual):
        with h5py.File(doors.write_network(path), "r+") as file:
            del file["model_weights/head/head/kernel"]
            spoil(file["model_weights/head/head"])
        _network_refused(
            path, r"network.h5 is refused: its 'model_weights/head/head/\w+' points elsewhere. Expected arrays that lie in the"
        )


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((10**6, 10**6), dict(chunks=(100, 100))),
        ((10**6, 10**6), dict()),
        ((2**31, 2**31, 2**31), dict(chunks=(100, 100, 1))),
        ((10,), dict(chunks=(10**8,), maxshape=(None,), compression="gzip")),
    ],
)
def test_an_array_of_a_shape_that_was_never_written_is_refused_by_name(path, little_memory, shape, options):
    with h5py.File(path, "r+") as file:
        file.create_dataset("model_weights/head/head/vast", shape, "f4", **options)
    _network_refused(path, r"is refused: up to its 'model_weights/head/head/vast' of shape \(.*\) it claims .* MB of numbers, and has 0.01")


def test_rings_of_groups_and_empty_arrays_are_walked_once(path):
    with h5py.File(path, "r+") as file:
        file["model_weights/again"] = file["/"]
        file["model_weights/nothing"] = h5py.Empty("f4")
    assert checkpoints.outline(path)["parameters"] == 2


def test_an_array_of_objects_is_refused(path):
    with h5py.File(path, "r+") as file:
        file["model_weights/head/words"] = ["a", "b"]
    _network_refused(path, "'model_weights/head/words' holds object. Expected weights: numbers")


def _with_layer(**changes):
    inputs, head = doors.LAYERS
    layers = [inputs, {**head, **{key: value for key, value in changes.items() if key != "config"}}]
    layers[1]["config"] = {**head["config"], **changes.get("config", {})}
    return {**doors.CONFIG, "config": {**doors.CONFIG["config"], "layers": layers}}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (dict(class_name="Lambda"), "Lambda"),
        (dict(class_name="TFOpLambda"), "TFOpLambda"),
        (dict(class_name="Backdoor", module="somebody.code", registered_name="somebody>Backdoor"), "Backdoor"),
        (dict(module="os"), "Conv3D"),
        (dict(config={"activation": {"class_name": "function", "module": "builtins", "config": "eval"}}), "function"),
        (dict(config={"kernel_initializer": {"class_name": "__lambda__", "config": {"value": "gASV"}}}), "__lambda__"),
    ],
)
def test_code_is_refused_by_name(path, change, name, monkeypatch):
    import keras

    doors.write_network(path, _with_layer(**change))
    monkeypatch.setattr(keras.models, "load_model", lambda *arguments, **options: pytest.fail("the file was deserialised"))
    _network_refused(path, f"refused: it holds a '{name}', which is not one of the built-in layers")


@pytest.mark.parametrize("config", [{"filters": 10**9}, {"kernel_size": [5000, 5000, 5000], "padding": "same"}, {"filters": 2}])
def test_a_layer_that_claims_more_than_the_file_holds_is_refused_before_there_is_memory_for_it(path, little_memory, config):
    doors.write_network(path, _with_layer(config=config))
    checkpoints.inspect(path)
    with pytest.raises(CheckpointError, match=r"refused: with 'head', of shape \(.*\), its layers claim more numbers than the 2 it holds"):
        checkpoints.load(path)


def test_layers_that_wait_for_one_another(path):
    doors.write_network(path, _with_layer(inbound_nodes=[[["head", 0, 0, {}]]]))
    with pytest.raises(CheckpointError, match="does not hold a network that Keras can build"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("written", "match"),
    [
        ("[" * 100_000, "its description is no JSON"),
        ("[" * 500 + "]" * 500, "its description is nested more than 100 levels deep"),
        (json.dumps({"config": {"name": "x" * 5_000_000}}), "its description has 5,000,0.. characters. Expected at most 4,000,000"),
        ("9" * 5000, "its description is no JSON"),
        ("7", "its description is of no network"),
        ('{"class_name": "Functional", "config": 7}', "its description is of no network"),
        (b"\xff\xfe", "its description is no JSON"),
        (np.arange(5), "its description is no JSON"),
        (h5py.Empty("f4"), "its description is no JSON"),
    ],
)
def test_a_description_that_is_none(path, written, match):
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = written
    _network_refused(path, match)


@pytest.mark.parametrize(
    "layers", [7, None, [7], [{"class_name": "InputLayer"}], [{"class_name": "InputLayer", "config": {"batch_shape": 7}}]]
)
def test_layers_that_are_none(path, layers):
    doors.write_network(path, {**doors.CONFIG, "config": {**doors.CONFIG["config"], "layers": layers}})
    with pytest.raises(CheckpointError, match="its description does not say what its layers are"):
        checkpoints.outline(path)
    with pytest.raises(CheckpointError, match="does not hold a network that Keras can build"):
        checkpoints.load(path)


def test_weights_that_are_no_group(path):
    with h5py.File(path, "r+") as file:
        del file["model_weights"]
        file["model_weights"] = np.ones(3)
    assert checkpoints.outline(path)["parameters"] == 0
    with pytest.raises(CheckpointError, match="its layers claim more numbers than the 0 it holds"):
        checkpoints.load(path)


# --- the same in Keras' own format, a zip ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """The members of a small network's `.keras` file by name: dict of str to bytes."""
    import keras

    inputs = keras.Input((8, 8, 8, 1), name="image")
    network = keras.Model(inputs, keras.layers.Conv3D(1, 1, name="head")(inputs), name="small")
    path = tmp_path_factory.mktemp("zip") / "network.keras"
    keras_files.write(network, path, json.dumps({**doors.FACTS, "format": 2, "inference": {"scaling": "percentile"}}))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(path, members, compression=zipfile.ZIP_STORED):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in members if isinstance(members, list) else members.items():
            archive.writestr(name, content)
    return path


def _weights(spoil, members):
    """Return the members after a function has changed the weights' file."""
    file = io_module.BytesIO(members["model.weights.h5"])
    with h5py.File(file, "r+") as opened:
        spoil(opened)
    return {**members, "model.weights.h5": file.getvalue()}


def test_the_zip_that_the_cases_below_spoil_is_good(members, tmp_path):
    path = _zipped(tmp_path / "network.keras", members)
    assert checkpoints.load(path).network.count_params() == 2
    assert info.describe(path)["network"] == {"name": "small", "input_shape": [8, 8, 8, 1], "parameters": 2}


def test_of_a_damaged_zip_only_an_input_error_comes_out(members, tmp_path):
    content = _zipped(tmp_path / "network.keras", members).read_bytes()
    places = [*range(0, len(content), 611), *range(len(content) - 350, len(content), 3)]
    for place in places:
        for byte in (0, 255):
            (tmp_path / "network.keras").write_bytes(content[:place] + bytes([byte]) + content[place + 1 :])
            with contextlib.suppress(InputError):
                checkpoints.open_network(tmp_path / "network.keras").outline()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_zip(members, tmp_path, share):
    path = _zipped(tmp_path / "network.keras", members)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    _network_refused(path, "network.keras is not a zip archive, or is truncated. Expected a network trained by keras_mri")


def test_what_is_no_zip(tmp_path):
    path = doors.write_network(tmp_path / "network.keras")
    _network_refused(path, "network.keras is not a zip archive, or is truncated")


@pytest.mark.parametrize(
    "name", ["evil.py", "/etc/passwd", "../config.json", "assets/vocabulary.txt", "config.json/x", "model.weights.npz"]
)
def test_another_member_is_refused_by_name(members, tmp_path, name):
    path = _zipped(tmp_path / "network.keras", {**members, name: b"x"})
    _network_refused(path, f"network.keras is refused: it holds '{name}', 1 time.s.. Expected config.json, model.weights.h5")


def test_a_member_that_comes_twice_is_refused(members, tmp_path):
    path = _zipped(tmp_path / "network.keras", [*members.items(), ("config.json", members["config.json"])])
    _network_refused(path, "it holds 'config.json', 2 time.s.")


def test_members_without_number_are_not_read(members, tmp_path, little_memory):
    path = _zipped(tmp_path / "network.keras", {**members, **{f"{number}": b"" for number in range(3_000)}})
    tracemalloc.reset_peak()
    _network_refused(path, "its list of members has .* bytes or more. Expected at most 1,000")


def test_a_list_of_members_whose_size_stands_elsewhere_is_refused(members, tmp_path):
    # zip64: what zipfile believes is the record before the last one.
    content = _zipped(tmp_path / "network.keras", members).read_bytes()
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    (tmp_path / "network.keras").write_bytes(content[:-22] + locator + content[-22:])
    _network_refused(tmp_path / "network.keras", "its list of members has .* bytes or more")


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_unpacked(members, tmp_path, little_memory, compression):
    path = _zipped(tmp_path / "network.keras", {**members, "model.weights.h5": bytes(100_000_000)}, compression)
    tracemalloc.reset_peak()
    _network_refused(path, "its 'm.*' claims .* bytes and takes .* of .*. Expected members that are not compressed, as Keras writes them")


@pytest.mark.parametrize("sizes", [(2**31, 2**31), (100, 2**31), (2**31, 100)])
def test_a_member_that_claims_more_than_the_file_has_is_refused(members, tmp_path, little_memory, sizes):
    path = _zipped(tmp_path / "network.keras", members)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\1\2")
    struct.pack_into("<LL", content, place + 20, *sizes)
    path.write_bytes(content)
    _network_refused(path, f"claims {sizes[1]:,} bytes and takes {sizes[0]:,} of [0-9,]+. Expected members that are not compressed")


def test_a_zip_without_a_network_or_without_facts_is_foreign(members, tmp_path):
    for name, match in {
        "config.json": "holds no network .no `config.json`.",
        "model.weights.h5": "holds no network .no `model.weights.h5`.",
        "keras_mri.json": "was not written by keras_mri: it has no `keras_mri.json`",
    }.items():
        path = _zipped(tmp_path / "network.keras", {key: content for key, content in members.items() if key != name})
        _network_refused(path, match)
        with pytest.raises(ForeignNetworkError):
            checkpoints.inspect(path)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (dict(class_name="Lambda"), "Lambda"),
        (dict(class_name="Backdoor", module="somebody.code", registered_name="somebody>Backdoor"), "Backdoor"),
        (dict(module="os"), "Conv3D"),
        (dict(build_config={"class_name": "__lambda__", "config": {"value": "gASV"}}), "__lambda__"),
    ],
)
def test_code_in_a_zip_is_refused_by_name(members, tmp_path, change, name, monkeypatch):
    import keras

    config = json.loads(members["config.json"])
    config["config"]["layers"][1].update(change)
    path = _zipped(tmp_path / "network.keras", {**members, "config.json": json.dumps(config)})
    monkeypatch.setattr(keras.models, "load_model", lambda *arguments, **options: pytest.fail("the file was deserialised"))
    _network_refused(path, f"refused: it holds a '{name}', which is not one of the built-in layers")


def test_a_layer_of_a_zip_that_claims_more_than_the_file_holds_is_refused(members, tmp_path, little_memory):
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["filters"] = 10**9
    path = _zipped(tmp_path / "network.keras", {**members, "config.json": json.dumps(config)})
    with pytest.raises(CheckpointError, match="refused: with 'head', of shape .*, its layers claim more numbers than the 2 it holds"):
        checkpoints.load(path)


def test_weights_in_a_zip_that_point_elsewhere_or_claim_too_much_are_refused(members, tmp_path, little_memory):
    def link(file):
        file["evil"] = h5py.ExternalLink("/etc/passwd", "x")

    def vast(file):
        file.create_dataset("vast", (10**6, 10**6), "f4", chunks=(100, 100))

    for spoil, match in ((link, "refused: its 'evil' points elsewhere"), (vast, "up to its 'vast' of shape .* it claims .* MB of numbers")):
        _network_refused(_zipped(tmp_path / "network.keras", _weights(spoil, members)), match)


def test_weights_in_a_zip_that_are_none_or_damaged(members, tmp_path):
    path = tmp_path / "network.keras"
    for content in (b"", b"no HDF5", members["model.weights.h5"][:2000]):
        _network_refused(_zipped(path, {**members, "model.weights.h5": content}), "network.keras is not an HDF5 file, or is truncated")
    spoiled = bytearray(_zipped(path, members).read_bytes())
    spoiled[spoiled.index(b"\x89HDF") + 3000] ^= 255
    path.write_bytes(spoiled)
    _network_refused(path, "network.keras is not a zip archive, or is truncated")  # by its checksum


@pytest.mark.parametrize("name", ["config.json", "keras_mri.json"])
def test_texts_in_a_zip_that_are_none(members, tmp_path, name):
    for content in (b"", b"\xff\xfe", b"[" * 100_000, b"[" * 500 + b"]" * 500, json.dumps({"config": "x" * 5_000_000}).encode()):
        _network_refused(_zipped(tmp_path / "network.keras", {**members, name: content}), "is damaged|is refused|is not a zip")


# --- tables that lie ---------------------------------------------------------------------------------------------------

_TABLES = {
    "events": (read_events, "onset\tduration\ttrial_type\n"),
    "labels": (lambda path: read_volume_labels(path, 1), "label\n"),
    "pairs": (read_table, "subject\tsource\ttarget\n"),
}


@pytest.mark.parametrize("kind", _TABLES)
@pytest.mark.parametrize("content", [b"\xff\xfea\0b\0", b"\x1f\x8b\x08\0", b"x" * 200_000, "ü\t1\t1\n".encode("latin-1")])
def test_what_is_no_table_of_text(tmp_path, kind, content):
    read, columns = _TABLES[kind]
    for start in (b"", columns.encode()):
        (tmp_path / "table.tsv").write_bytes(start + content)
        with pytest.raises(InputError, match="table.tsv is not a text table. Expected a table .*, in UTF-8, columns separated by tabs"):
            read(tmp_path / "table.tsv")


@pytest.mark.parametrize("kind", _TABLES)
@pytest.mark.parametrize("content", ["", "\0", "\t\t\t\n\n\n", "\ufeff"])
def test_a_table_of_nothing(tmp_path, kind, content):
    (tmp_path / "table.tsv").write_text(content)
    with pytest.raises(InputError, match="table.tsv (has no column|lacks the column)"):
        _TABLES[kind][0](tmp_path / "table.tsv")


@pytest.mark.parametrize(
    "line", ["nan\t1\tlh", "inf\t1\tlh", "-inf\t1\tlh", "0\tnan\tlh", "0\tinf\tlh", "0\t-1\tlh", "N/A\t1\tlh", "1e999\t1\tlh", "0\t1\0\tlh"]
)
def test_times_that_are_none(tmp_path, line):
    (tmp_path / "events.tsv").write_text(f"onset\tduration\ttrial_type\n1\t1\trh\n{line}\n")
    with pytest.raises(InputError, match="events.tsv, line 3: onset and duration must be seconds, the latter not negative. Received: '"):
        read_events(tmp_path / "events.tsv")


def test_a_message_repeats_no_more_of_an_entry_than_can_be_read(tmp_path):
    (tmp_path / "events.tsv").write_text(f"onset\tduration\ttrial_type\n{'x' * 100_000}\t1\trh\n")
    with pytest.raises(InputError, match="Received: 'x{40}', '1'"):
        read_events(tmp_path / "events.tsv")


@pytest.mark.parametrize(
    ("event", "step", "labelled"),
    [
        (Event(0, 1.7e308, "lh"), 2.0, 20),
        (Event(0, 1.7e308, "lh"), 0.5, 20),
        (Event(-1e308, 1e308, "lh"), 0.5, 0),
        (Event(-5, 1e12, "lh"), 2.0, 20),
        (Event(9.5, 0, "lh"), 0.5, 1),
    ],
)
def test_an_event_of_any_length_costs_no_more_than_the_run(little_memory, event, step, labelled):
    labels = labels_of_events([event], 20, step, 0.0)
    assert (len(labels), labels.count("lh")) == (20, labelled)


def test_an_event_that_never_ended_is_outside(little_memory):
    with pytest.raises(InputError, match="the first 'lh' at 1e.308 s"):
        labels_of_events([Event(1e308, 1.0, "lh")], 20, 2.0, 5.0)


def test_a_row_of_a_table_may_name_what_it_likes_and_gets_an_input_error(tmp_path):
    for source in ("x" * 5000, "a\0b.nii", "/dev/zero", "/proc/self/mem", "../../../etc/passwd", "."):
        (tmp_path / "pairs.tsv").write_text(f"subject\tsource\ttarget\n../../evil\t{source}\t{source}\n")
        with pytest.raises(InputError, match=r"is not a file|cannot be read as an image"):
            open_pairs([], Config(pairs=str(tmp_path / "pairs.tsv")))
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.tsv"]
