import json

import h5py
import keras
import numpy as np
import pytest

import keras_mri
from keras_mri.errors import CheckpointError, InputError
from keras_mri.networks.dense_unet import dense_unet
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint


@pytest.fixture
def network():
    network = residual_unet((None, None, None, 3), (2, 3), (1, 1))
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.2, weight.shape) for weight in network.get_weights()])
    return network


@pytest.fixture
def checkpoint(network):
    return Checkpoint(network, "wgan", {"seed": 3}, {"zooms": [[2.0, 2.5, 3.0]]}, {"scaling": "minmax"})


@pytest.fixture
def path(checkpoint, tmp_path):
    path = tmp_path / "network.h5"
    checkpoints.save(checkpoint, path)
    return path


@pytest.fixture(params=[".h5", ".keras"])
def either(request, checkpoint, tmp_path):
    """A file in each of the two formats."""
    path = tmp_path / f"network{request.param}"
    checkpoints.save(checkpoint, path)
    return path


def test_bare_keras_loads_the_file_and_gives_the_same_output(network, either, rng):
    data = rng.random((1, 8, 6, 4, 3), dtype=np.float32)
    again = keras.models.load_model(either, compile=False)
    np.testing.assert_allclose(again.predict_on_batch(data), network.predict_on_batch(data), atol=1e-6)


def test_what_was_saved_is_loaded(checkpoint, either):
    again = checkpoints.load(either, "wgan")
    for field in ("system", "config", "training", "inference"):
        assert getattr(again, field) == getattr(checkpoint, field)
    for found, wanted in zip(again.network.get_weights(), checkpoint.network.get_weights(), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_file_is_inspected_without_building_it(network, either, monkeypatch):
    monkeypatch.setattr(keras.models, "load_model", None)
    assert checkpoints.inspect(either) == {
        "format": 2,
        "version": keras_mri.__version__,
        "system": "wgan",
        "inference": {"scaling": "minmax"},
        "config": {"seed": 3},
        "training": {"zooms": [[2.0, 2.5, 3.0]]},
    }
    wanted = {"name": "residual_unet", "input_shape": [None, None, None, 3], "parameters": network.count_params()}
    assert checkpoints.outline(either) == wanted


def test_an_opened_network_has_read_its_file_once(either, monkeypatch):
    opened = checkpoints.open_network(either)
    monkeypatch.setitem(checkpoints._READERS, either.suffix, None)
    assert opened.system == "wgan" and opened.facts["inference"] == {"scaling": "minmax"}
    assert opened.load("wgan").network.count_params() == opened.outline()["parameters"]
    with pytest.raises(CheckpointError, match="of the system 'wgan'. Expected: 'sr'"):
        opened.load("sr")


def test_a_file_of_format_1_has_no_inference_and_keeps_its_format(path, tmp_path):
    with h5py.File(path, "r+") as file:
        facts = json.loads(file.attrs["keras_mri"])
        del facts["inference"]
        file.attrs["keras_mri"] = json.dumps({**facts, "format": 1})
    old = checkpoints.load(path)
    assert old.inference is None and checkpoints.inspect(path) == {**facts, "format": 1, "inference": None}
    checkpoints.save(old, tmp_path / "again.keras")
    assert checkpoints.inspect(tmp_path / "again.keras") == checkpoints.inspect(path)


def test_every_layer_of_every_network_is_on_the_allow_list(tmp_path):
    for normalization, residual in (("batch", False), ("none", True)):
        checkpoint = Checkpoint(dense_unet((None, None, None, 1), 2, normalization, residual, levels=1), "wgan", {}, {})
        checkpoints.save(checkpoint, tmp_path / f"{normalization}.h5")
        checkpoints.load(tmp_path / f"{normalization}.h5")


def test_a_failed_save_leaves_nothing_behind(network, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "_verify", full)
    with pytest.raises(InputError, match="network.h5 could not be written: No space left on device"):
        checkpoints.save(Checkpoint(network, "wgan", {}, {}), tmp_path / "network.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_gives_back_other_weights_is_not_kept(network, tmp_path, monkeypatch):
    load = keras.models.load_model

    def damaged(*arguments, **options):
        model = load(*arguments, **options)
        model.set_weights([weight + 1 for weight in model.get_weights()])
        return model

    monkeypatch.setattr(keras.models, "load_model", damaged)
    with pytest.raises(CheckpointError, match="does not give back the network"):
        checkpoints.save(Checkpoint(network, "wgan", {}, {}), tmp_path / "network.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.h5 is not a file"):
        checkpoints.load(tmp_path / "none.h5")


def test_another_ending_is_refused_because_keras_would_choose_another_reader(path, tmp_path):
    path.rename(tmp_path / "network.hdf5")
    with pytest.raises(CheckpointError, match=r"must end in \.h5 or \.keras"):
        checkpoints.load(tmp_path / "network.hdf5")


def test_another_ending_is_not_written(network, tmp_path):
    with pytest.raises(InputError, match=r"`path` must end in \.h5 or \.keras. Received: .*network.hdf5"):
        checkpoints.save(Checkpoint(network, "wgan", {}, {}), tmp_path / "network.hdf5")


def test_a_disk_without_room_is_told_before_anything_is_written(network, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="the disk has 0 MB left. Free some space"):
        checkpoints.save(Checkpoint(network, "wgan", {}, {}), tmp_path / "network.h5")
    assert list(tmp_path.iterdir()) == []


def test_no_hdf5(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(CheckpointError, match="not an HDF5 file, or is truncated"):
        checkpoints.load(tmp_path / "text.h5")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="truncated"):
        checkpoints.load(path)


def test_weights_without_a_network(tmp_path):
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    with pytest.raises(CheckpointError, match="holds no network"):
        checkpoints.load(tmp_path / "weights.h5")


def test_another_system(path):
    with pytest.raises(CheckpointError, match="of the system 'wgan'. Expected: 'sr'"):
        checkpoints.load(path, "sr")


def test_a_network_that_keras_mri_did_not_write(network, tmp_path):
    network.save(tmp_path / "plain.h5")
    with pytest.raises(CheckpointError, match="was not written by keras_mri"):
        checkpoints.load(tmp_path / "plain.h5")


def test_a_newer_format(path):
    with h5py.File(path, "r+") as file:
        facts = json.loads(file.attrs["keras_mri"])
        file.attrs["keras_mri"] = json.dumps({**facts, "format": 99})
    with pytest.raises(CheckpointError, match="has format 99; this version reads up to 2. Update"):
        checkpoints.load(path)


_FACTS = dict(version="1", system="wgan", config={}, training={})


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[1]", '{"format": 1}', 3, "null"),
        json.dumps({"format": 1, **_FACTS, "system": []}),
        json.dumps({"format": 2, **_FACTS}),
        json.dumps({"format": 2, **_FACTS, "inference": None}),
        json.dumps({"format": 0, **_FACTS}),
        json.dumps({"format": "1", **_FACTS}),
    ],
)
def test_a_damaged_description(path, text):
    with h5py.File(path, "r+") as file:
        file.attrs["keras_mri"] = text
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints.load(path)


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ({"class_name": "Lambda", "config": {"function": "evil"}}, "Lambda"),
        ({"class_name": "Backdoor", "module": "somebody.code", "config": {}}, "Backdoor"),
        ({"class_name": "Conv3D", "module": "somebody.code", "config": {}}, "Conv3D"),
        ({"class_name": "Activation", "config": {"activation": {"class_name": "function", "config": "os.system"}}}, "function"),
        ({"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Lambda", "config": {}}}}, "TimeDistributed"),
    ],
)
def test_a_strange_layer_is_refused_by_name_before_anything_is_built(path, layer, name, monkeypatch):
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].insert(1, layer)
        file.attrs["model_config"] = json.dumps(config)
    monkeypatch.setattr(keras.models, "load_model", lambda *arguments, **options: pytest.fail("the file was deserialised"))
    with pytest.raises(CheckpointError, match=f"refused: it holds a '{name}'"):
        checkpoints.load(path)


def test_a_real_lambda_layer_is_refused(tmp_path):
    inputs = keras.Input((4, 4, 4, 1))
    keras.Model(inputs, keras.layers.Lambda(lambda tensor: tensor * 2)(inputs)).save(tmp_path / "lambda.h5")
    with pytest.raises(CheckpointError, match="'Lambda'"):
        checkpoints.load(tmp_path / "lambda.h5")


def test_networks_of_several_inputs_and_outputs_are_compared_in_all_of_them():
    image, number = keras.Input((None, None, None, 2)), keras.Input((), dtype="int32")
    layers = [keras.layers.Conv3D(1, 1), keras.layers.Embedding(3, 2)]
    network = keras.Model([image, number], [layers[0](image), layers[1](number)])
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    assert checkpoints.same_output(network, copy)
    for changed in range(len(network.weights)):
        copy.set_weights([weight + (k == changed) for k, weight in enumerate(network.get_weights())])
        assert not checkpoints.same_output(network, copy)


@pytest.mark.parametrize("suffix", checkpoints.SUFFIXES)
def test_the_state_of_the_optimizer_is_left_out(suffix, tmp_path):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    network.compile("adam", loss="mse")
    data = np.ones((1, 4, 4, 4, 1), np.float32)
    network.train_on_batch(data, data)
    path = tmp_path / f"trained{suffix}"
    checkpoints.save(Checkpoint(network, "wgan", {}, {}), path)
    assert not keras.models.load_model(path).compiled
    assert checkpoints.load(path).network.count_params() == network.count_params()
    assert b"optimizer" not in path.read_bytes()


@pytest.mark.parametrize("ending", [".h5", ".keras"])
def test_a_limit_on_files_is_met_before_hdf5_meets_it(network, tmp_path, ending):
    """HDF5 ends the whole process where a write fails, under a quota or `ulimit -f`."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(InputError, match="network.* could not be written: File too large. Nothing was left behind"):
            checkpoints.save(Checkpoint(network, "wgan", {}, {}), tmp_path / f"network{ending}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
