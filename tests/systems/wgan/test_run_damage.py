"""No run is damaged: whatever a frame is, its neighbours keep their signal, even where the network averages as widely as it can."""

import numpy as np
import pytest
from scipy import ndimage

from experiments.data import FOLDER
from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.nifti_reading import open_image
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.run_copies import recorrupted_copy, training_run
from keras_mri.systems.wgan.run_prediction import look_at
from keras_mri.systems.wgan.settings import Config
from tests.systems.contract import trained
from tests.systems.wgan.run_networks import FLOAT32, ITSELF, WIDEST, checkpoint_of, network_that_takes, volume_of, wilful_network

SHAPE, SIGMA = (20, 18, 12), 15.0
# 0.7 to 1 of 1000 in the brain.
_HEAD, _BRAIN = phantoms.head(SHAPE)
_DEEP = ndimage.binary_erosion(_BRAIN, iterations=2)

NETWORKS = {
    "as it starts": lambda: network_that_takes(ITSELF),
    "averaging as widely as it can": lambda: network_that_takes(WIDEST),
    "choosing for itself": wilful_network,
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def checkpoint(request):
    return checkpoint_of(NETWORKS[request.param]())


@pytest.fixture(scope="module")
def averaging():
    return checkpoint_of(network_that_takes(WIDEST))


def steady(frames, seed=0, sigma=SIGMA):
    noise = np.random.default_rng(seed).normal(0, sigma, (*SHAPE, frames))
    return (_HEAD[..., None] + noise + 100).astype(np.float32)


def denoised(checkpoint, run, **given):
    return wgan.predict(checkpoint, [volume_of(run, **given)], FLOAT32).data


def level(frame, run):
    """Return the mean of a frame in the brain, over that of the steady head."""
    return frame[_BRAIN].mean() / (_HEAD + 100)[_BRAIN].mean()


# The mean of 1700 voxels of noise of 15 in about 800: 0.0005.
_WITHIN = dict(abs=0.003)


def blank(run, t):
    run[..., t] = 0


def spike(run, t):
    run[..., t] *= 1.3


def bad_slice(run, t):
    run[:, :, 6, t] *= 0.4


def noise_alone(run, t):
    run[..., t] = np.abs(np.random.default_rng(5).normal(0, SIGMA, SHAPE))


@pytest.mark.parametrize("fault", [blank, spike, bad_slice, noise_alone])
@pytest.mark.parametrize("t", [0, 11, 23])
def test_beside_a_bad_frame_the_signal_stays_and_the_bad_frame_passes_bit_for_bit(fault, t, checkpoint):
    run = steady(24)
    fault(run, t)
    restored = denoised(checkpoint, run)
    np.testing.assert_array_equal(restored[..., t], run[..., t])
    for other in set(range(24)) - {t}:
        assert level(restored[..., other], run) == pytest.approx(1, **_WITHIN)


def test_no_ghost_of_a_bad_frame_is_in_any_other(averaging):
    """A spike in one corner of the head, thirty times the noise: nowhere else."""
    run = steady(30)
    clean = denoised(averaging, np.delete(run, 12, axis=3))
    run[4:10, 4:10, 3:9, 12] += 30 * SIGMA
    run[..., 12] *= 1.2
    restored = denoised(averaging, run)
    np.testing.assert_array_equal(restored[..., 12], run[..., 12])
    np.testing.assert_allclose(np.delete(restored, 12, axis=3), clean, atol=0.05)


def test_several_bad_frames_of_different_kinds(checkpoint):
    run = steady(40)
    for t, fault in {3: blank, 9: spike, 20: bad_slice, 38: noise_alone, 39: noise_alone}.items():
        fault(run, t)
    restored = denoised(checkpoint, run)
    for t in range(40):
        if t in (3, 9, 20, 38, 39):
            np.testing.assert_array_equal(restored[..., t], run[..., t])
        else:
            assert level(restored[..., t], run) == pytest.approx(1, **_WITHIN)


def test_noise_volumes_at_the_end_stay(checkpoint):
    run = steady(24)
    for t in (21, 22, 23):
        noise_alone(run, t)
    restored = denoised(checkpoint, run)
    np.testing.assert_array_equal(restored[..., 21:], run[..., 21:])
    assert level(restored[..., 20], run) == pytest.approx(1, **_WITHIN)


def test_first_frames_that_are_not_in_steady_state_stay_and_do_not_brighten_the_next(checkpoint):
    run = steady(36)
    for t, factor in enumerate((1.25, 1.09, 1.03)):
        run[..., t] *= factor
    restored = denoised(checkpoint, run)
    np.testing.assert_array_equal(restored[..., :3], run[..., :3])
    for t in (3, 4, 5):
        assert level(restored[..., t], run) == pytest.approx(1, **_WITHIN)


def arterial_spin_labelling(frames=24, seed=0):
    """Control and label take turns: 15 of 15 noise in grey matter, as in shared/cases/08."""
    run = steady(frames, seed) - 100
    grey = (_HEAD > 600) & (_HEAD < 800)
    run[..., 1::2] -= 15.0 * grey[..., None]
    return np.abs(run).astype(np.float32), grey


def test_control_minus_label_stays_within_its_noise(checkpoint):
    run, grey = arterial_spin_labelling()
    before, after = (
        (each[..., 0::2] - each[..., 1::2]).mean(axis=3)[grey].mean() for each in (run, denoised(checkpoint, run, repetition_time=4.0))
    )
    assert before == pytest.approx(15, abs=0.75) and after == pytest.approx(15, abs=0.75)
    assert after == pytest.approx(before, abs=0.02)


def test_the_conditions_of_an_asl_run_are_runs_of_their_own(averaging):
    run, _ = arterial_spin_labelling()
    result = wgan.predict(averaging, [volume_of(run, 4.0)], FLOAT32)
    restored = result.data
    assert result.facts["inspection"]["kind"] == "alternating"
    assert result.facts["inspection"]["conditions"] == [list(range(0, 24, 2)), list(range(1, 24, 2))]
    for part in (slice(0, None, 2), slice(1, None, 2)):
        alone = denoised(averaging, np.ascontiguousarray(run[..., part]), repetition_time=8.0)
        np.testing.assert_allclose(restored[..., part], alone, atol=0.05)


def diffusion(order, seed=0):
    """b = 0 is 1.00 and b = 1000 is 0.30 of the head, in this order, with noise of 15."""
    noise = np.random.default_rng(seed).normal(0, SIGMA, (*SHAPE, len(order)))
    return np.maximum((_HEAD + 100)[..., None] * np.where(order, 0.30, 1.00) + noise, 0).astype(np.float32)


@pytest.mark.parametrize(
    "order",
    [
        np.arange(36) % 3 > 0,
        np.arange(33) % 11 > 0,
        np.arange(31) > 0,
        np.arange(42) >= 12,
    ],
    ids=["b0 every third", "three b0", "one b0", "two blocks"],
)
def test_the_shells_of_a_diffusion_run_keep_their_levels(order, checkpoint):
    run = diffusion(order)
    restored = denoised(checkpoint, run, repetition_time=None)
    shells = restored[_DEEP] / (_HEAD + 100)[_DEEP, None]
    for t, weighted in enumerate(order):
        assert shells[:, t].mean() == pytest.approx(0.30 if weighted else 1.00, abs=0.006)
    few = np.flatnonzero(~order)
    if len(few) < 10:
        np.testing.assert_array_equal(restored[..., few], run[..., few])


def test_facts_are_those_of_the_longest_condition(averaging):
    order = np.arange(42) >= 12
    run = diffusion(order)
    # The noise of the longer one is correlated.
    noise = run[..., order] - run[..., order].mean(axis=3, keepdims=True)
    run[..., order] += ndimage.gaussian_filter(noise, (1, 1, 0, 0)) * 2 - noise
    result = wgan.predict(averaging, [volume_of(run)], FLOAT32)
    result.frame(0)
    assert [len(frames) for frames in result.facts["inspection"]["conditions"]] == [12, 30]
    assert min(result.facts["noise_correlation"][:2]) > 0.3


def test_a_stack_of_three_echoes_keeps_its_levels(checkpoint):
    factors = np.tile([1.0, 0.65, 0.4], 12)
    run = (steady(36) * factors).astype(np.float32)
    restored = denoised(checkpoint, run)
    for t, factor in enumerate(factors):
        assert level(restored[..., t], run) == pytest.approx(factor, **_WITHIN)


@pytest.mark.filterwarnings("error:invalid value:RuntimeWarning")
def test_a_look_at_a_run_is_silent_to_people_who_do_not_know_numpy():
    run = steady(40)
    for t, fault in {3: blank, 9: spike, 38: noise_alone}.items():
        fault(run, t)
    look_at(volume_of(run))


def test_bad_frames_outside_of_any_condition_do_not_reach_the_facts_as_numbers(averaging):
    run = steady(24)
    blank(run, 7)
    result = wgan.predict(averaging, [volume_of(run)], FLOAT32)
    result.frame(0)
    assert result.facts["inspection"]["unlike"] == {"7": "blank"}


def test_what_was_seen_is_told(averaging, caplog):
    run, _ = arterial_spin_labelling(32)
    blank(run, 20)
    wgan.predict(averaging, [volume_of(run, 4.0)], FLOAT32)
    assert "bold.nii.gz: frame 20 is unlike the others (blank) and stays as it is" in caplog.text
    assert "two conditions alternate, such as control and label" in caplog.text


def test_where_few_frames_are_of_one_kind_the_run_is_refused_with_what_was_seen(averaging):
    run = steady(12)
    for t in (2, 5, 8, 11):
        blank(run, t)
    with pytest.raises(
        InputError,
        match=r"bold.nii.gz has no 10 frames of one kind. Found: .*frames 2, 5, 8 and 11 are unlike the others \(blank\).*Leave out",
    ):
        wgan.predict(averaging, [volume_of(run)], FLOAT32)


def test_an_asl_run_of_five_pairs_is_refused_or_left(averaging):
    """Five controls and five labels are too few to denoise each; averaged together the label would be gone."""
    run, grey = arterial_spin_labelling(10)
    try:
        restored = denoised(averaging, run, repetition_time=4.0)
    except InputError as refused:
        assert "frames of one kind" in str(refused)
    else:
        assert (restored[..., 0::2] - restored[..., 1::2]).mean(axis=3)[grey].mean() == pytest.approx(15, abs=1.5)


@pytest.mark.real_data
@pytest.mark.skipif(not (FOLDER / "prisma-epi").is_dir(), reason="needs the scans")
def test_the_perfusion_of_a_scanned_asl_run_stays(averaging):
    """Labels and controls differ by 0.9 % of the mean; in four slices of the run."""
    scan, mask = (open_image(FOLDER / "prisma-epi" / f"pcasl2d{part}.nii.gz") for part in ("", "_mask"))
    run, brain = np.stack([frame[:, :, 8:12] for frame in scan.frames()], axis=-1), mask.frame(0)[:, :, 8:12] > 0
    result = wgan.predict(averaging, [volume_of(run, scan.repetition_time)], FLOAT32)
    restored = result.data
    assert result.facts["inspection"]["kind"] == "alternating"
    before, after = ((each[..., 2::2] - each[..., 3::2]).mean(axis=3)[brain].mean() for each in (run, restored))
    assert abs(before) > 0.005 * run[brain].mean()
    assert after == pytest.approx(before, rel=0.01)
    for t in result.facts["inspection"]["unlike"]:
        np.testing.assert_array_equal(restored[..., int(t)], run[..., int(t)])


QUICK = dict(epochs=1, steps_per_epoch=1, batch_size=8, filters=(2, 2), depths=(1, 1), patch_shape=(8, 8, 8), precision="float32")


def damaged_runs():
    broken = steady(24)
    for t, fault in {3: blank, 9: spike, 23: noise_alone}.items():
        fault(broken, t)
    unsteady = steady(36)
    unsteady[..., 0] *= 1.25
    return {
        "bad frames": broken,
        "unsteady": unsteady,
        "asl": arterial_spin_labelling()[0],
        "diffusion": diffusion(np.arange(36) % 3 > 0),
    }


@pytest.mark.parametrize("name", list(damaged_runs()))
def test_training_on_such_a_run_is_finite_and_its_network_keeps_the_levels(name, eagerly):
    run = damaged_runs()[name]
    network = trained(wgan.SYSTEM, [volume_of(run)], Config(**QUICK))
    assert network.name == "run_unet" and all(np.isfinite(weight).all() for weight in network.get_weights())
    restored = denoised(checkpoint_of(network), run)
    found = look_at(volume_of(run))
    for t in range(run.shape[3]):
        if t in found.unlike:
            np.testing.assert_array_equal(restored[..., t], run[..., t])
        assert restored[..., t][_BRAIN].mean() == pytest.approx(run[..., t][_BRAIN].mean(), rel=0.004, abs=1)


def test_bad_frames_do_not_train(monkeypatch, eagerly):
    """Every condition that trains is free of the frames that are unlike the others."""
    given = []
    monkeypatch.setattr(
        "keras_mri.systems.wgan.run_training.training_run", lambda run, *more: given.append((run, *more)) or training_run(run, *more)
    )
    run = damaged_runs()["bad frames"]
    trained(wgan.SYSTEM, [volume_of(run)], Config(**QUICK))
    ((used, repetition_time),) = given
    np.testing.assert_array_equal(used, np.delete(run, [3, 9, 23], axis=3))
    assert repetition_time == pytest.approx(2.0 * 22 / 20)
    given.clear()
    asl, _ = arterial_spin_labelling()
    trained(wgan.SYSTEM, [volume_of(asl, 4.0)], Config(**QUICK))
    assert [used.shape[3] for used, _ in given] == [12, 12] and [time for _, time in given] == [8.0, 8.0]
    np.testing.assert_array_equal(given[0][0], asl[..., ::2])


def test_training_refuses_a_run_with_too_few_good_frames_in_one_message():
    run = steady(12)
    for t in (2, 5, 8, 11):
        blank(run, t)
    with pytest.raises(
        InputError, match="has no 10 frames of one kind.*blank.*Leave out damaged frames, or use a network of single volumes"
    ):
        trained(wgan.SYSTEM, [volume_of(run)], Config(**QUICK))


def test_copies_of_a_condition_have_activations_of_its_own_frames():
    asl, _ = arterial_spin_labelling()
    copy = recorrupted_copy(training_run(np.ascontiguousarray(asl[..., ::2]), 8.0), np.random.default_rng(0))
    assert copy.maps.shape[0] == 11 and np.isfinite(copy.maps).all()
