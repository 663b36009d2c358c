import keras
import numpy as np
import pytest

from keras_mri.networks.latent_prior import linear_of, linear_rates, prior_of
from keras_mri.networks.latent_unet import latent_unet
from keras_mri.networks.precision import hidden_layers_in, in_float32
from keras_mri.systems.ldm.diffusion.samplers import sampler
from keras_mri.systems.ldm.diffusion.sampling import compiled
from keras_mri.systems.ldm.diffusion.schedules import PREDICTIONS, schedule, target

LABELS, SHAPE = 2, (4, 2, 2, 2)


@pytest.fixture
def latents(rng):
    """Means that differ in every number, and two channels that stray by 0.5 and 0.1 from them."""
    means = rng.standard_normal((LABELS, *SHAPE))
    codes = np.repeat(np.arange(LABELS), 2000)
    return means, (means[codes] + rng.standard_normal((len(codes), *SHAPE)) * [0.5, 0.1]).astype(np.float32), codes


def test_means_and_variance_are_those_of_the_volumes(latents):
    means, clean, codes = latents
    prior = prior_of(clean, codes, LABELS)
    np.testing.assert_allclose(prior.means[:LABELS], means, atol=0.05)
    np.testing.assert_allclose(prior.means[LABELS], means.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.sqrt(prior.variance), np.broadcast_to([0.5, 0.1], SHAPE), rtol=0.05)
    np.testing.assert_allclose(prior.variance_of_all, clean.var(axis=0), rtol=0.005, atol=0.0015)


def test_variance_counts_what_the_means_took(rng):
    """Two volumes of each label: around their own mean they stray by half of what they do."""
    clean = rng.standard_normal((400, 8, 8, 8, 1)).astype(np.float32)
    variances = [prior_of(clean[k : k + 4], np.array([0, 0, 1, 1]), 2).variance.mean() for k in range(0, 400, 4)]
    assert np.mean(variances) == pytest.approx(1, rel=0.02)


def test_the_variance_of_a_position_is_its_own_the_more_volumes_there_are(rng):
    deviation = np.array([1.0, 0.1]).reshape(2, 1, 1, 1)
    for count, nearest in ((3, 0.5), (1000, 0.02)):
        clean = (deviation * rng.standard_normal((count, 2, 20, 20, 1))).astype(np.float32)
        found = prior_of(clean, np.zeros(count, int), 1).variance.mean(axis=(1, 2, 3))
        # Eight more, of 0.505, the mean of both positions.
        wanted = ((count - 1) * deviation.ravel() ** 2 + 8 * 0.505) / (count + 7)
        np.testing.assert_allclose(found, wanted, rtol=0.1)
        assert abs(found[1] - 0.01) < nearest


def test_labels_with_fewer_than_two_volumes_have_the_mean_of_all_and_one_volume_no_prior(rng):
    """The mean of one volume would be that volume."""
    clean = rng.standard_normal((4, 2, 2, 2, 1)).astype(np.float32)
    prior = prior_of(clean, np.array([0, 0, 1, 3]), 3)
    for code in (1, 2):
        np.testing.assert_array_equal(prior.means[code], prior.means[3])
    np.testing.assert_allclose(prior.means[0], clean[:2].mean(axis=0), rtol=1e-6)
    alone = prior_of(clean[:2], np.array([0, 1]), 2)
    np.testing.assert_array_equal(alone.variance, alone.variance_of_all)
    assert prior_of(clean[:1], np.array([2]), 2) is None


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_rates_are_those_of_a_regression(prediction, rng):
    plan, mean, deviation = schedule("cosine", 20), 1.5, 0.3
    rates = linear_rates(prediction, plan, np.array([deviation**2]))
    clean, noise = mean + deviation * rng.standard_normal(200000), rng.standard_normal(200000)
    for step in (0, 5, 12, 19):
        signal_rate, noise_rate = plan.signal_rates[step], plan.noise_rates[step]
        noisy = signal_rate * clean + noise_rate * noise
        said = target(prediction, clean, noise, signal_rate, noise_rate)
        slope, intercept = np.polyfit(noisy, said, 1)
        np.testing.assert_allclose([rates[0][step, 0], rates[1][step, 0] * mean], [slope, intercept], atol=0.02)


def untrained(prior, plan, prediction="velocity", condition_channels=0):
    return latent_unet(2, LABELS, plan.steps, (4, 6), 1, condition_channels, linear_of(prior, prediction, plan))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("label", [0, LABELS])
def test_it_is_the_best_linear_one_at_every_position(prediction, label, rng):
    """Oracle: the line through (noisy, wanted) at each position and channel, from its own moments."""
    means, deviations = rng.standard_normal((LABELS, *SHAPE)), rng.uniform(0.05, 1.5, SHAPE)
    codes = np.repeat(np.arange(LABELS), 4000)
    clean = (means[codes] + deviations * rng.standard_normal((len(codes), *SHAPE))).astype(np.float32)
    plan = schedule("cosine", 20)
    network = untrained(prior_of(clean, codes, LABELS), plan, prediction)
    mine = clean if label == LABELS else clean[codes == label]
    for step in (0, 2, 10, 19):
        rates = plan.signal_rates[step], plan.noise_rates[step]
        noise = rng.standard_normal(mine.shape)
        noisy = (rates[0] * mine + rates[1] * noise).astype(np.float32)
        wanted = target(prediction, mine, noise, *rates)
        said = network.predict([noisy, np.full(len(mine), step), np.full(len(mine), label)], verbose=0)
        centred, deviation = noisy - noisy.mean(axis=0, dtype=float), wanted - wanted.mean(axis=0)
        slope = (centred * deviation).mean(axis=0) / (centred**2).mean(axis=0)
        errors = [np.mean((part - wanted) ** 2) for part in (said, wanted.mean(axis=0) + slope * centred)]
        assert errors[0] == pytest.approx(errors[1], rel=0.01)


def test_it_computes_in_float32_whatever_its_blocks_do(latents, rng):
    _, clean, codes = latents
    plan = schedule("cosine", 20)
    with hidden_layers_in("bfloat16"):
        network = untrained(prior_of(clean, codes, LABELS), plan)
    told = [rng.standard_normal((4, *SHAPE)).astype(np.float32), np.array([0, 5, 10, 19]), np.array([0, 1, 2, 1])]
    np.testing.assert_array_equal(network.predict_on_batch(told), in_float32(network).predict_on_batch(told))


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_before_training_samples_have_the_means_and_the_variance(latents, prediction):
    means, clean, codes = latents
    plan = schedule("cosine", 200)
    network = untrained(prior_of(clean, codes, LABELS), plan, prediction)

    def denoise(x, time, inputs):
        return network([x, time, inputs["label"]], training=False)

    sample = compiled(denoise, sampler("dpm-solver", plan, 50), prediction, network)
    for label in range(LABELS):
        start = np.random.default_rng(1).standard_normal((500, *SHAPE)).astype(np.float32)
        drawn = np.asarray(sample(start, {"label": np.full(500, label, np.int32)}, 0))
        np.testing.assert_allclose(drawn.mean(axis=0), means[label], atol=0.12)
        np.testing.assert_allclose(drawn.std(axis=0).mean(axis=(0, 1, 2)), [0.5, 0.1], rtol=0.05)


def test_what_is_known_does_not_train_and_all_else_does(latents, rng):
    _, clean, codes = latents
    network = untrained(prior_of(clean, codes, LABELS), schedule("cosine", 20), condition_channels=3)
    said = network.get_layer("said")
    said.set_weights([rng.normal(0, 0.1, weight.shape) for weight in said.get_weights()])
    network.compile(keras.optimizers.SGD(1.0), loss="mse")
    before = network.get_weights()
    noisy, condition = (rng.standard_normal((4, *SHAPE[:3], channels)).astype(np.float32) for channels in (2, 3))
    told = [noisy, np.array([0, 5, 10, 19]), np.array([0, 1, 2, 1]), condition]
    network.train_on_batch(told, rng.standard_normal(noisy.shape).astype(np.float32))
    names = [weight.path for weight in network.weights]
    still = {name for name, old, new in zip(names, before, network.get_weights(), strict=True) if np.array_equal(old, new)}
    tables = ("label_means", "unlabelled", "sinusoids", "log_noise_to_signal", "signal", "one_over_noise")
    assert still == {*(f"{name}/embeddings" for name in tables), "log_variances/kernel"}


def test_parameters_of_the_default_beside_the_tables(rng):
    """As the README has them: the first convolution also sees what the linear denoiser says."""
    prior = prior_of(rng.standard_normal((3, 2, 2, 2, 32)).astype(np.float32), np.array([0, 0, 5]), 5)
    network = latent_unet(32, 5, 1000, condition_channels=34, linear=linear_of(prior, "velocity", schedule("cosine", 1000)))
    tables = (6 + 2) * 2**3 * 32 + 2 * 6 + 3 * 1000
    assert network.count_params() - tables == 4_583_008 == 4_527_712 + 27 * 32 * 64
