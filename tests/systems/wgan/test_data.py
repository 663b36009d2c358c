import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.systems.wgan.data import denoising_data
from keras_mri.systems.wgan.settings import PRESETS, Config


def volume(shape, affine, seed=0):
    data = phantoms.bold_run(shape, seed)[0] if len(shape) == 4 else phantoms.head(shape, seed)[0]
    return Volume.from_array(data, affine, name=f"scan{seed}")


@pytest.mark.parametrize(("frames", "middle"), [(1, 0), (3, 1), (5, 2)])
def test_the_target_is_the_middle_frame(affine, frames, middle):
    config = Config(batch_size=2, patch_shape=(8, 6, 4), noise_range=(0.0, 0.0), activation=0.0)
    noisy, target = next(iter(denoising_data([volume((20, 18, 9, 14), affine)], config, frames=frames, factor=2).training))
    np.testing.assert_array_equal(target[..., 0], noisy[..., middle])


def test_batches_have_the_shapes_of_the_configuration(affine):
    data = denoising_data([volume((20, 18, 9, 12), affine)], Config(batch_size=3, patch_shape=(8, 6, 4)), frames=5, factor=2)
    noisy, target = next(iter(data.training))
    assert noisy.shape == (3, 8, 6, 4, 5) and target.shape == (3, 8, 6, 4, 1)
    assert data.steps == 100 and data.patch_shape == (8, 6, 4)


def test_the_patch_is_cut_to_what_fits_every_scan(affine):
    scans = [volume((20, 70, 9), affine, 0), volume((40, 15, 30), affine, 1), volume((33, 33, 33), affine, 2)]
    assert denoising_data(scans, Config(), frames=1, factor=2).patch_shape == (20, 14, 8)


def test_what_validates_is_the_end_of_the_run_and_never_trains(affine):
    # Frame t holds intensities around 100 + t, so a patch tells where it comes from.
    frames = np.arange(20) + 100 + np.random.default_rng(0).random((16, 16, 8, 20))
    scan = Volume.from_array(frames, affine)
    config = Config(batch_size=2, patch_shape=(8, 8, 4), noise_range=(0.0, 0.0), flips=False, scaling="minmax")
    data = denoising_data([scan], config, frames=1, factor=2)
    low, high = scan.extremes

    def times(batches):
        return {int(target.numpy().mean() * (high - low) + low - 100) for _, batch in batches for target in batch}

    assert times(data.training.take(60)) == set(range(16))
    assert times(data.validation) <= {16, 17, 18, 19}


def test_the_published_sampling_takes_bright_patches_at_half_steps_a_fifth_of_them_for_validation(affine):
    config = Config(**PRESETS["published"])
    data = denoising_data([volume((64, 48, 12, 2), affine)], config, frames=1, factor=1)
    # Corners at multiples of (16, 16, 4): 3 × 2 × 2 places × 2 frames = 24, all of them brighter than 0.01; 19 train.
    assert data.steps == 19 // 4
    noisy, target = next(iter(data.training))
    assert noisy.shape == target.shape == (4, 32, 32, 8, 1)
    assert float(np.std(noisy - target)) == pytest.approx(0.15, rel=0.02)


def test_the_noise_of_the_scan_is_estimated_and_told(affine, caplog):
    clean = phantoms.bold_run((40, 38, 20, 10))[0]
    with caplog.at_level("INFO", logger="keras_mri"):
        denoising_data([phantoms.noisy_volume(clean, 25.0)], Config(), frames=1, factor=2)
    estimated = float(caplog.text.split("estimated noise SD ")[1].split()[0])
    assert estimated == pytest.approx(25, rel=0.1)


def test_a_patch_larger_than_what_trains_is_refused(affine):
    with pytest.raises(InputError, match=r"`patch_shape` must lie inside the volume"):
        denoising_data([volume((20, 18, 9), affine)], Config(patch_shape=(18, 18, 8)), frames=1, factor=2)


def test_the_held_out_patches_come_in_fours_whatever_the_batch(affine):
    data = denoising_data([volume((20, 18, 9, 12), affine)], Config(batch_size=40, patch_shape=(8, 6, 4)), frames=1, factor=2)
    # 24 patches, noise levels spread evenly over each four.
    assert [len(noisy) for noisy, _ in data.validation] == [4] * 6


def test_a_scan_too_dark_for_the_published_sampling_is_refused(affine):
    data = np.zeros((40, 40, 10), np.float32)
    data[5, 5, 5] = 1000.0
    with pytest.raises(InputError, match="gives 0 patches.*`sampling` random"):
        denoising_data([Volume.from_array(data, affine)], Config(**PRESETS["published"]), frames=1, factor=1)
