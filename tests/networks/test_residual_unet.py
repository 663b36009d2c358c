import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.networks.residual_unet import residual_unet


def test_parameters_by_hand():
    # filters (4, 6), depths (1, 2), 3 frames: 3→4, down 4→6 (2³), 6→6 twice, up 6→4 (2³), 4→4, head 4→1.
    expected = (27 * 3 * 4 + 4) + (8 * 4 * 6 + 6) + 2 * (27 * 6 * 6 + 6) + (8 * 6 * 4 + 4) + (27 * 4 * 4 + 4) + (4 + 1)
    # The skip is the local contrast after the first level's convolutions, added, not concatenated: no further weights.
    assert residual_unet((None, None, None, 3), (4, 6), (1, 2)).count_params() == expected


@pytest.mark.parametrize("frames", [1, 3, 5])
def test_it_starts_as_the_identity_on_the_middle_frame(frames, rng):
    data = rng.random((2, 8, 6, 4, frames), dtype=np.float32)
    restored = residual_unet((None, None, None, frames), (4, 8), (1, 1)).predict_on_batch(data)
    np.testing.assert_array_equal(restored[..., 0], data[..., frames // 2])


def test_a_constant_added_to_the_image_is_added_to_the_result(rng):
    # The front end subtracts the local mean, so the residual sees contrast only.
    network = residual_unet((None, None, None, 1), (4, 8), (1, 1))
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 4, 1), np.float32), np.zeros(1, np.float32)])
    data = rng.random((1, 8, 6, 4, 1), dtype=np.float32)
    shifted = network.predict_on_batch(data + np.float32(3)) - np.float32(3)
    np.testing.assert_allclose(shifted, network.predict_on_batch(data), atol=2e-4)
    assert np.abs(network.predict_on_batch(data) - data).max() > 1e-3


def test_with_the_image_beside_it_the_result_depends_on_the_tissue_too(rng):
    network = residual_unet((None, None, None, 1), (4, 8), (1, 1), with_image=True)
    data = rng.random((1, 8, 6, 4, 1), dtype=np.float32)
    np.testing.assert_array_equal(network.predict_on_batch(data), data)
    network.get_layer("residual").set_weights([np.ones((1, 1, 1, 4, 1), np.float32), np.zeros(1, np.float32)])
    shifted = network.predict_on_batch(data + np.float32(3)) - np.float32(3)
    assert np.abs(shifted - network.predict_on_batch(data)).max() > 1e-3
    # One more channel enters the first convolution, nothing else changes.
    assert network.count_params() - residual_unet((None, None, None, 1), (4, 8), (1, 1)).count_params() == 27 * 4


def test_the_default_of_super_resolution_by_hand():
    from keras_mri.systems.sr.settings import Config

    filters, depths = Config().filters, Config().depths
    assert (filters, depths) == ((16, 64, 96), (1, 3, 1))
    # 2→16, down, 64→64 three times on each way, down, 96→96 once, up, up, 16→16, head.
    expected = (27 * 2 * 16 + 16) + (8 * 16 * 64 + 64) + 6 * (27 * 64 * 64 + 64) + (8 * 64 * 96 + 96) + (27 * 96 * 96 + 96)
    expected += (8 * 96 * 64 + 64) + (8 * 64 * 16 + 16) + (27 * 16 * 16 + 16) + (16 + 1)
    assert residual_unet((None, None, None, 1), filters, depths, with_image=True).count_params() == expected == 1_035_617


def test_levels_must_agree():
    with pytest.raises(InputError, match=r"filters=\(4, 8\), depths=\(1,\)"):
        residual_unet((None, None, None, 1), (4, 8), (1,))
