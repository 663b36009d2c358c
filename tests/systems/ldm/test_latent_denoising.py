import numpy as np

from keras_mri.networks.latent_unet import latent_unet
from keras_mri.systems.ldm.latent_denoising import LatentDenoising


def test_inputs_are_found_by_name_and_the_whole_pair_is_what_is_saved(rng):
    denoiser = latent_unet(2, labels=1, steps=5, filters=(4, 4), condition_channels=4)
    denoiser.get_layer("said").set_weights([rng.normal(0, 0.1, weight.shape) for weight in denoiser.get_layer("said").get_weights()])
    told = {
        "time": np.array([1, 3]), "label": np.array([0, 1]), "condition": rng.random((2, 4, 4, 2, 4), dtype=np.float32),
        "noisy": rng.random((2, 4, 4, 2, 2), dtype=np.float32),
    }  # fmt: skip
    model = LatentDenoising(denoiser, lambda trained: ("pair", trained))
    expected = denoiser.predict_on_batch([told[name] for name in ("noisy", "time", "label", "condition")])
    np.testing.assert_allclose(model(told), expected, atol=1e-5)
    assert model.network == ("pair", denoiser)
    assert len(model.trainable_weights) == len(denoiser.trainable_weights)
