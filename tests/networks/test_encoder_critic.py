import numpy as np

from keras_mri.networks.encoder_critic import encoder_critic


def test_one_score_per_patch_that_does_not_depend_on_the_rest_of_the_batch(rng):
    critic = encoder_critic((8, 12, 6, 1), (4, 8))
    patches = rng.random((3, 8, 12, 6, 1), dtype=np.float32)
    together = critic.predict_on_batch(patches)
    assert together.shape == (3, 1)
    alone = np.concatenate([critic.predict_on_batch(patch[None]) for patch in patches])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)
    assert np.ptp(together) > 1e-3


def test_parameters_by_hand():
    assert encoder_critic((8, 8, 8, 1), (4, 8)).count_params() == (27 * 4 + 4) + (27 * 4 * 8 + 8) + (8 + 1)
