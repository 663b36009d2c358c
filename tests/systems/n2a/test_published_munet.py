import json
import pathlib
import shutil

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from keras_mri.errors import CheckpointError
from keras_mri.networks.munet import munet, munet_diffusion
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.n2a.published_munet import is_published_munet, load_published_munet

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
old = tf_keras.layers
SHAPE = (1, 5, 7, 3)


def convolution(tensor, filters, inline, normalized):
    """One 3³ convolution as Keras 2 scripts wrote it: the ReLU within, or a layer after the normalisation."""
    if inline and not normalized:
        return old.Conv3D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(tensor)
    tensor = old.Conv3D(filters, 3, padding="same", kernel_initializer="he_normal")(tensor)
    tensor = old.BatchNormalization()(tensor) if normalized else tensor
    return old.Activation("relu")(tensor)


def with_mask(image, residual):
    """The mask goes in only to come out again beside the residual, where the loss can read it."""
    mask = old.Input((None, None, None, 1))
    return tf_keras.Model([image, mask], old.Concatenate(axis=-1)([residual, mask]))


def structural(filters=4, inline=True, joined=lambda skip, deep: [skip, deep], head="linear"):
    image = old.Input((None, None, None, 1))

    def pair(tensor):
        return convolution(convolution(tensor, filters, inline, False), filters, inline, False)

    c1 = pair(image)
    c2 = pair(c1)
    c3 = pair(c2)
    c4 = pair(c3)
    c5 = pair(c4)
    c6 = pair(old.Concatenate()(joined(c4, c5)))
    c7 = pair(old.Concatenate()([c3, c6]))
    c8 = pair(old.Concatenate()([c2, c7]))
    c9 = pair(old.Concatenate()([c1, c8]))
    return with_mask(image, old.Conv3D(1, 3, padding="same", activation=head)(c9))


def diffusion(channels=6, filters=8):
    image = old.Input((None, None, None, channels))

    def pair(tensor, first=filters, second=filters, normalized=True):
        return convolution(convolution(tensor, first, False, normalized), second, False, True)

    c1 = pair(image, normalized=False)
    c2 = pair(c1)
    c3 = pair(c2)
    c4 = pair(old.Concatenate()([c3, c1]))
    c5 = pair(old.Concatenate()([c4, c2]), filters // 2, filters // 4)
    return with_mask(image, old.Conv3D(channels, 3, padding="same")(c5))


NETWORKS = {
    "relu within": structural,
    "relu apart": lambda: structural(inline=False),
    "diffusion": diffusion,
}


@pytest.fixture(scope="module", params=NETWORKS)
def original(request):
    """A network in the published form whose every weight, statistics included, has a value of its own. Not to be changed."""
    tf_keras.backend.reset_uids()  # conv3d, conv3d_1, …, as in a file of its own
    network = NETWORKS[request.param]()
    shaken(network, np.random.default_rng(0))
    return network


@pytest.fixture(scope="module")
def published(original, tmp_path_factory):
    """The file of a whole network. Not to be changed."""
    path = tmp_path_factory.mktemp("published") / "published.h5"
    original.save(path)
    return path


def shaken(network, rng):
    for weight in network.weights:
        # Kernels as He 2015 draws them, so that the output is of order one and 1e-5 means what it says.
        reach = np.sqrt(6 / np.prod(weight.shape[:-1])) if "kernel" in weight.name else 0.3
        low, high = (0.5, 1.5) if "gamma" in weight.name or "variance" in weight.name else (-reach, reach)
        weight.assign(rng.uniform(low, high, weight.shape))


def check_same_residual(network, original, rng):
    channels = original.inputs[0].shape[-1]
    image = rng.normal(0, 1, (*SHAPE, channels)).astype(np.float32)
    mask = rng.integers(0, 2, (*SHAPE, 1)).astype(np.float32)
    expected = original([image, mask], training=False).numpy()
    np.testing.assert_array_equal(expected[..., channels:], mask)
    residual = network.predict_on_batch(image) - image
    assert np.abs(expected[..., :channels]).std() > 0.01
    np.testing.assert_allclose(residual, expected[..., :channels], atol=1e-5)


def test_the_residual_is_the_originals_added_to_the_image(original, published, rng):
    assert is_published_munet(published)
    network = load_published_munet(published)
    assert isinstance(network, keras.Model)
    assert len(network.inputs) == len(network.outputs) == 1
    check_same_residual(network, original, rng)


def test_a_compiled_network_with_its_optimizer_and_a_loss_of_its_own(original, rng, tmp_path):
    def masked_loss(target, output):
        return tf_keras.losses.mean_squared_error(target, output)

    trained = tf_keras.models.clone_model(original)
    trained.set_weights(original.get_weights())
    trained.compile(tf_keras.optimizers.Adam(5e-5), masked_loss, run_eagerly=True)
    channels = trained.inputs[0].shape[-1]
    image, mask = rng.random((*SHAPE, channels), dtype=np.float32), np.ones((*SHAPE, 1), np.float32)
    trained.train_on_batch([image, mask], np.zeros((*SHAPE, channels + 1)))
    trained.save(tmp_path / "published.h5")
    with h5py.File(tmp_path / "published.h5") as file:
        assert "masked_loss" in file.attrs["training_config"] and "optimizer_weights" in file
    check_same_residual(load_published_munet(tmp_path / "published.h5"), trained, rng)


def test_weights_alone(original, rng, tmp_path):
    original.save_weights(tmp_path / "weights.hdf5")
    assert is_published_munet(tmp_path / "weights.hdf5")
    check_same_residual(load_published_munet(tmp_path / "weights.hdf5"), original, rng)


def test_names_in_bytes_and_no_modules_as_tensorflow_2_2_wrote_them(original, published, rng, tmp_path):
    def without_modules(part):
        if isinstance(part, dict):
            return {name: without_modules(value) for name, value in part.items() if name not in ("module", "registered_name", "groups")}
        return [without_modules(inner) for inner in part] if isinstance(part, list) else part

    path = shutil.copy(published, tmp_path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = np.bytes_(json.dumps(without_modules(json.loads(file.attrs["model_config"]))))
        for group in (file["model_weights"], *file["model_weights"].values()):
            for name in {"layer_names", "weight_names"} & set(group.attrs):
                group.attrs[name] = [np.bytes_(value) for value in group.attrs[name]]
        for name in ("keras_version", "backend"):
            del file.attrs[name]
    check_same_residual(load_published_munet(path), original, rng)


def test_more_than_ten_layers_come_in_the_order_of_the_network_not_of_the_alphabet(published):
    with h5py.File(published) as file:
        names = [name for name in file["model_weights"].attrs["layer_names"] if "conv3d" in name]
    assert names != sorted(names)  # or the tests above would prove little


@pytest.mark.parametrize("network", [munet(1, 2), munet(1, 2, 0.1), munet_diffusion(2, 4)], ids=["structural", "front end", "diffusion"])
def test_what_keras_mri_saved_is_its_own(network, tmp_path):
    checkpoints.save(Checkpoint(network, "n2a", {}, {}), tmp_path / "own.h5")
    assert checkpoints.load(tmp_path / "own.h5", "n2a").network.count_params() == network.count_params()
    assert not is_published_munet(tmp_path / "own.h5")


@pytest.fixture
def saved(rng, tmp_path):
    """Return a function that saves a network of Keras 2 and gives the path."""

    def save(network):
        shaken(network, rng)
        network.save(tmp_path / "other.h5")
        return tmp_path / "other.h5"

    return save


@pytest.fixture(scope="module")
def structural_file(tmp_path_factory):
    """The file of a structural network. Not to be changed."""
    path = tmp_path_factory.mktemp("structural") / "other.h5"
    network = structural()
    shaken(network, np.random.default_rng(0))
    network.save(path)
    return path


@pytest.fixture
def to_damage(structural_file, tmp_path):
    """A copy of that file."""
    return pathlib.Path(shutil.copy(structural_file, tmp_path))


def refused(path, match):
    with pytest.raises(CheckpointError, match=match):
        load_published_munet(path)


def test_a_lambda_is_refused_by_name_before_any_weight_is_read(saved, monkeypatch):
    network = structural()
    twice = old.Lambda(lambda tensor: tensor * 2)(network.output)
    path = saved(tf_keras.Model(network.inputs, twice))
    monkeypatch.setattr("keras_mri.systems.n2a.published_munet._stored_layers", lambda *arguments: pytest.fail("it was read on"))
    refused(path, "refused: it holds a 'Lambda'")


def test_an_operation_of_tensorflow_is_refused_by_name(saved):
    network = structural()
    refused(saved(tf_keras.Model(network.inputs, network.output * 2)), "refused: it holds a 'TFOpLambda'")


def test_another_number_of_convolutions(saved):
    image = old.Input((None, None, None, 1))
    path = saved(with_mask(image, old.Conv3D(1, 3, padding="same")(image)))
    assert not is_published_munet(path)
    refused(path, r"holds 1 layers with a kernel and a bias. Expected 19 convolutions \(structural\) or 11 \(diffusion\)")


def test_a_chain_without_the_joins(saved):
    image = tensor = old.Input((None, None, None, 1))
    for number in range(18):
        tensor = old.Conv3D(4, 3, padding="same", name=f"chain_{number}")(tensor)
    path = saved(with_mask(image, old.Conv3D(1, 3, padding="same")(tensor)))
    assert not is_published_munet(path)
    refused(path, r"kernel of 'chain_10' has the shape \(3, 3, 3, 4, 4\). Expected \(3, 3, 3, 8, 4\)")


def test_joins_in_another_order_have_the_same_shapes_and_are_refused_all_the_same(saved):
    path = saved(structural(joined=lambda skip, deep: [deep, skip]))
    assert is_published_munet(path)  # shapes alone cannot tell
    refused(path, "is a Conv3D of c5_2 → relu, c4_2 → relu. Expected: Conv3D of c4_2 → relu, c5_2 → relu")


def test_a_head_that_is_not_linear(saved):
    refused(saved(structural(head="sigmoid")), "returns residual → sigmoid, input. Expected the last convolution")


def test_a_normalisation_too_few(saved):
    image = tensor = old.Input((None, None, None, 1))
    for _ in range(11):
        tensor = old.Conv3D(4, 3, padding="same")(tensor)
    refused(saved(with_mask(image, tensor)), "holds 0 batch normalisations beside 11 convolutions. Expected 9")


def test_a_convolution_without_bias(saved):
    image = old.Input((None, None, None, 1))
    tensor = old.Conv3D(4, 3, padding="same", use_bias=False, name="bare")(image)
    refused(saved(with_mask(image, tensor)), r"layer 'bare' holds kernel \(3, 3, 3, 1, 4\). Expected convolutions with a bias")


def test_a_network_within_a_network(saved):
    image = old.Input((None, None, None, 1))
    within = tf_keras.Sequential([old.Conv3D(2, 3, padding="same"), old.Conv3D(1, 3, padding="same")], name="within")
    refused(saved(with_mask(image, within(image))), "its layer 'within' is a network of its own")


def test_a_description_of_other_layers_than_the_weights(to_damage):
    with h5py.File(to_damage, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        del config["config"]["layers"][5]
        file.attrs["model_config"] = json.dumps(config)
    refused(to_damage, "is damaged: its description does not say how the layers are connected")


def test_weights_that_lie_in_another_file(to_damage, tmp_path):
    with h5py.File(to_damage, "r+") as file, h5py.File(tmp_path / "secret.h5", "w") as secret:
        group, name = next((group, name) for group in file["model_weights"].values() for name in group.attrs["weight_names"])
        secret["numbers"] = group[name][()]
        del group[name]
        group[name] = h5py.ExternalLink("secret.h5", "numbers")
    assert not is_published_munet(to_damage)
    refused(to_damage, "is refused: the weights of .* are no floating-point numbers stored in the file itself")


def test_weights_that_are_bytes_of_any_file(to_damage, tmp_path):
    (tmp_path / "secret.txt").write_bytes(bytes(4 * 27 * 4))
    with h5py.File(to_damage, "r+") as file:
        group, name = next((group, name) for group in file["model_weights"].values() for name in group.attrs["weight_names"])
        shape = group[name].shape
        del group[name]
        group.create_dataset(name, shape, "f4", external=[(str(tmp_path / "secret.txt"), 0, h5py.h5f.UNLIMITED)])
    refused(to_damage, "stored in the file itself")


def test_words_instead_of_weights(to_damage):
    with h5py.File(to_damage, "r+") as file:
        group, name = next((group, name) for group in file["model_weights"].values() for name in group.attrs["weight_names"])
        del group[name]
        group[name] = "words"
    refused(to_damage, "no floating-point numbers")


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_truncated_file(to_damage, share):
    content = to_damage.read_bytes()
    to_damage.write_bytes(content[: int(share * len(content))])
    assert not is_published_munet(to_damage)
    refused(to_damage, "not an HDF5 file, or is truncated. Expected a published MU-Net")


def test_no_hdf5_and_no_file(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    assert not is_published_munet(tmp_path / "text.h5")
    refused(tmp_path / "text.h5", "not an HDF5 file, or is truncated. Expected a published MU-Net")
    assert not is_published_munet(tmp_path / "none.h5")
    refused(tmp_path / "none.h5", r"none\.h5 is not a file. Expected a published MU-Net")


def test_an_hdf5_file_with_something_else(tmp_path):
    with h5py.File(tmp_path / "else.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    assert not is_published_munet(tmp_path / "else.h5")
    refused(tmp_path / "else.h5", "holds 0 layers with a kernel and a bias")


def test_keras_3_works_on_beside_keras_2(rng):
    data = rng.random((*SHAPE, 1), dtype=np.float32)
    np.testing.assert_array_equal(munet(1, 2, noise_scale=0.1).predict_on_batch(data), data)
    assert keras.__version__.startswith("3.") and tf_keras.__version__.startswith("2.")
