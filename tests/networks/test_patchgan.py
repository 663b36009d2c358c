import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.patchgan import check_patch, layers_for, patch_discriminator


@pytest.mark.parametrize(("size", "parameters"), [((64, 3), 11_048_769), ((32, 3), 2_771_873), ((16, 3), 697_809), ((64, 2), 2_642_753)])
def test_the_published_sizes_have_the_published_number_of_parameters(size, parameters):
    assert patch_discriminator(*size).count_params() == parameters


@pytest.mark.parametrize(("side", "logits"), [(64, 6), (32, 2), (96, 10)])
def test_the_map_of_logits_has_the_published_size(side, logits):
    network = patch_discriminator(2, 3)
    assert network.compute_output_shape((1, side, side, side, 1)) == (1, logits, logits, logits, 1)


def test_a_map_of_logits_is_computed_for_unequal_sides(rng):
    data = rng.normal(size=(2, 12, 16, 24, 1)).astype(np.float32)
    assert patch_discriminator(2, 2).predict_on_batch(data).shape == (2, 1, 2, 4, 1)


def test_a_conditional_discriminator_sees_the_source_too():
    network = patch_discriminator(2, 1, conditional=True)
    assert network.input_shape[-1] == 2
    assert network.count_params() == patch_discriminator(2, 1).count_params() + 64 * 2


def test_each_logit_judges_a_neighbourhood_of_seventy_voxels(rng):
    """Oracle: of three halving layers, the receptive field is 1 → 4 → 7 → 16 → 34 → 70 voxels wide (Isola 2017, section 6.2)."""
    network = patch_discriminator(1, 3, normalization="none")
    network.set_weights([np.abs(rng.normal(0.5, 0.1, weight.shape)) for weight in network.get_weights()])
    data = rng.random((1, 96, 24, 24, 1), dtype=np.float32)
    before = network.predict_on_batch(data)[0, 5, 0, 0, 0]
    seen = []
    for x in range(96):
        poked = data.copy()
        poked[0, x] += 100
        if network.predict_on_batch(poked)[0, 5, 0, 0, 0] != before:
            seen.append(x)
    assert seen == list(range(seen[0], seen[0] + 70))


def test_the_default_preset_has_between_half_a_million_and_two_million_parameters():
    from keras_mri.systems.sr.settings import Config

    config = Config()
    layers = config.discriminator_layers or layers_for((48, 48, 48))
    assert 500_000 < patch_discriminator(config.discriminator_filters, layers, config.conditional).count_params() < 2_000_000


@pytest.mark.parametrize(("patch_shape", "layers"), [((48, 48, 48), 3), ((24, 24, 24), 3), ((48, 48, 16), 2), ((48, 8, 48), 1)])
def test_thin_patches_are_halved_less_often(patch_shape, layers):
    assert layers_for(patch_shape) == layers
    check_patch(patch_shape, layers)
    network = patch_discriminator(1, layers)
    assert min(network.compute_output_shape((1, *patch_shape, 1))[1:4]) >= 1


def test_patches_too_small_to_judge_are_refused():
    with pytest.raises(InputError, match=r"at least 6 voxels.*\(32, 32, 4\).*`adversarial_weight` 0"):
        layers_for((32, 32, 4))
    with pytest.raises(InputError, match=r"of 3 layers needs patches of at least 24.*\(32, 32, 16\). Use `discriminator_layers` 2"):
        check_patch((32, 32, 16), 3)
