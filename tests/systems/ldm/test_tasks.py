"""With a latent space whose encoder and decoder are exact or lossy by design, and samples that are what we say."""

import types

import nibabel
import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError, remarks_kept
from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import finer_affine, resampled
from keras_mri.imaging.run_repair.guess import RunGuess
from keras_mri.imaging.run_repair.space import moved_holes
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.systems.ldm.conditions import EXTRA_CHANNELS
from keras_mri.systems.ldm.labelled_runs import Grid
from keras_mri.systems.ldm.settings import PredictConfig
from keras_mri.systems.ldm.tasks import coarsened, imputed, reconstructed, super_resolved

SHAPE = (12, 8, 6)


class Space:
    """Each voxel's latent is the voxel; what a sample has beyond its condition is given, and every decoding loses `loss`."""

    config = types.SimpleNamespace(scaling="percentile", coarse=(2, 2, 2), one_step=True)

    def __init__(self, change=0.0, loss=0.0):
        self.change, self.loss, self.told = np.asarray(change, np.float32), loss, None

    def padded(self, data):
        return data

    def encode(self, volume):
        return volume[..., None]

    def decode(self, latent, shape):
        return latent[..., 0] - np.float32(self.loss)

    def sample(self, shape, count, options, code, told):
        assert told.shape[-1] == 1 + EXTRA_CHANNELS
        self.told, self.options = told, options
        # Half of the samples get twice the change, the others nothing.
        changes = [2 * self.change * (k % 2) for k in range(count)]
        return [told[..., :1] + np.broadcast_to(change, shape)[..., None] for change in changes]


@pytest.fixture
def run(affine):
    return Volume.from_array(phantoms.bold_run((*SHAPE, 6), amplitude=0.2)[0] + 20, affine, name="run")


def imputation(mask, affine, **options):
    return PredictConfig(task="imputation", missing=Volume.from_array(mask, affine, name="missing"), **options)


def slab(shape=SHAPE):
    mask = np.zeros(shape)
    mask[:, 2:4] = 1
    return mask


def guess_for(run, missing):
    """Return the guess of the run alone, in its own unit."""
    return RunGuess(run.frame, lambda t: missing[..., t] > 0 if missing.ndim == 4 else missing > 0, run.n_frames)


def test_known_voxels_come_back_bit_by_bit_and_missing_ones_as_the_guess_of_the_run(run, affine):
    """A change that leads away from what known slices hold is not kept."""
    mask = slab() > 0
    repaired = imputed(Space(change=-0.1), run, imputation(mask, affine), 0).data
    np.testing.assert_array_equal(repaired[~mask], run.data[~mask])
    np.testing.assert_allclose(repaired[..., 3][mask], guess_for(run, mask).filled(3)[mask], rtol=1e-3)
    assert np.abs(repaired - run.data)[mask].max() > 1


def test_a_change_that_no_known_voxel_can_prove_is_left_out(run, affine):
    """One slice is known: there is no place for a trial."""
    mask = np.ones(SHAPE)
    mask[:, 4] = 0
    plain, changed = (imputed(Space(change=change), run, imputation(mask, affine), 0).frame(2) for change in (0.0, 0.3))
    np.testing.assert_array_equal(plain, changed)


def test_a_network_of_another_grid_is_not_asked(run, affine):
    mask = slab() > 0
    space = Space(change=0.1)
    repaired = imputed(space, run, imputation(mask, affine), 0, helps=False)
    np.testing.assert_allclose(repaired.frame(1)[mask], guess_for(run, mask).filled(1)[mask], rtol=1e-3)
    assert space.told is None


def test_a_sample_that_agrees_with_the_guess_changes_nothing_whatever_the_decoder_loses(affine):
    """All frames lie on a line, so that the guess is it."""
    run = Volume.from_array(phantoms.bold_run((*SHAPE, 6), amplitude=0.0)[0][..., :1] + 20 + 3 * np.arange(6), affine)
    mask = np.zeros((*SHAPE, 6))
    mask[..., 2] = 1
    repaired = imputed(Space(loss=0.3), run, imputation(mask, affine), 0)
    np.testing.assert_allclose(repaired.frame(2), run.frame(2), rtol=1e-3)
    for t in (0, 1, 3, 4, 5):
        np.testing.assert_array_equal(repaired.frame(t), run.frame(t))


def test_a_report_learns_which_voxels_were_filled_in(run, affine):
    mask = np.zeros((*SHAPE, 6))
    mask[3:5, 2:4, 1, 4] = 7
    missing = imputed(Space(), run, imputation(mask, affine, samples=1), 0).facts["missing"]
    np.testing.assert_array_equal(missing(4), mask[..., 4] > 0)
    assert not missing(3).any()


def test_what_stands_in_the_missing_voxels_does_not_matter(run, affine):
    mask = slab() > 0
    damaged = [Volume.from_array(np.where(mask[..., None], value, run.data), affine) for value in (0, 1e6)]
    first, second = (imputed(Space(change=0.1), volume, imputation(mask, affine), 0).data for volume in damaged)
    np.testing.assert_allclose(first, second, rtol=1e-5)


def test_a_change_that_brings_known_frames_no_nearer_to_the_truth_is_left_out(run, affine):
    """All frames are alike, so that the guess is the truth, and whatever samples add is wrong."""
    still = Volume.from_array(np.repeat(run.frame(0)[..., None], 6, axis=3), affine)
    mask = np.zeros((*SHAPE, 6))
    mask[:, 2:4, :, 3] = 1
    repaired = imputed(Space(change=0.1), still, imputation(mask, affine), 0)
    np.testing.assert_allclose(repaired.frame(3), still.frame(3), rtol=1e-4)


@pytest.mark.parametrize(("asked", "granted"), [(0.5, 0.5), (1.0, 1.0), (2.0, 1.0), (-1.0, 0.0)])
def test_a_change_counts_as_much_as_it_proves_where_the_truth_is_known(asked, granted, run, affine):
    """Of three frames the last is missing; the second lies 100 above the first, from which alone it can be guessed."""
    first = run.frame(0)
    short = Volume.from_array(np.stack([first, first + 100, 0 * first], axis=-1), affine)
    mask = np.zeros((*SHAPE, 3))
    mask[..., 2] = 1
    scale = np.percentile(short.data[..., :2], 99.9)
    repaired = imputed(Space(change=asked * 100 / scale), short, imputation(mask, affine), 0)
    guess = guess_for(short, mask).filled(2)
    assert (first - 1 < guess).all() and (guess < first + 101).all()
    np.testing.assert_allclose(repaired.frame(2), guess + granted * 100, rtol=1e-3)


def test_the_denoiser_is_told_which_voxels_are_known(run, affine):
    """In a trial these are the hole, and the hole moved."""
    space = Space()
    imputed(space, run, imputation(slab(), affine), 0).frame(0)
    (moved,) = moved_holes(slab() > 0)
    np.testing.assert_array_equal(space.told[..., 1], (slab() == 0) & ~moved)
    assert (space.told[..., 2] == 0).all()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (slab((12, 8, 5)), r"missing must have the image's shape, \(12, 8, 6, 6\) or \(12, 8, 6\), .* Received: \(12, 8, 5\)"),
        (np.ones(SHAPE), "marks every voxel as missing"),
    ],
)
def test_masks_that_do_not_fit(mask, message, run, affine):
    with pytest.raises(InputError, match=message):
        imputed(Space(), run, imputation(mask, affine), 0)


def test_a_mask_that_lies_elsewhere(run, affine):
    elsewhere = affine + np.outer([0, 1, 0, 0], [0, 0, 0, 5])
    with pytest.raises(GridMismatchError, match="the mask of missing voxels must lie on the grid of the image"):
        imputed(Space(), run, imputation(slab(), elsewhere), 0)


def damaged_run(affine, n_frames=16):
    """Slice 2 of frame 5 and slices 1 and 4 of frame 9 have lost their signal."""
    data = phantoms.bold_run((*SHAPE, n_frames), amplitude=0.05)[0] + 20 + np.random.default_rng(0).normal(size=(*SHAPE, n_frames))
    truth = data.astype(np.float32)
    data = truth.copy()
    data[:, :, 2, 5] = data[:, :, [1, 4], 9] = 0
    return truth, Volume.from_array(data, affine, name="folder/damaged.nii.gz")


def test_damage_is_found_named_and_filled(affine):
    truth, run = damaged_run(affine)
    with remarks_kept() as remarks:
        repaired = imputed(Space(), run, PredictConfig(task="imputation", missing="auto"), 0)
    assert remarks == [
        "damaged.nii.gz: damaged, and filled in: frame 5: slice 2",
        "damaged.nii.gz: damaged, and filled in: frame 9: slices 1 and 4",
    ]
    assert repaired.facts["damage"] == {"axis": "z", "frames": {"5": [2], "9": [1, 4]}}
    filled = repaired.data
    gone = run.data != truth
    np.testing.assert_array_equal(filled[~gone], truth[~gone])
    assert np.sqrt(np.mean((filled - truth)[gone] ** 2)) < 2.5


def test_the_axis_of_slices_is_that_of_the_header(affine, write_nifti):
    data = np.repeat(phantoms.head(SHAPE)[0][..., None], 16, axis=3) + np.random.default_rng(0).normal(size=(*SHAPE, 16))
    data = data.astype(np.float32)
    data[4, :, :, 7] = 0
    path, header = write_nifti(data, "x.nii"), nibabel.Nifti1Header()
    header.set_dim_info(slice=0)
    nibabel.save(nibabel.Nifti1Image(data, affine, header), path)
    found = imputed(Space(), open_image(path), PredictConfig(task="imputation", missing="auto"), 0).facts["damage"]
    assert found == {"axis": "x", "frames": {"7": [4]}}


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (slice(10, 16), r"nothing damaged was found in sound: no slice and no frame stands out.* Nothing was written.* name a mask"),
        (slice(0, 1), r"needs a run of 6 frames or more. Received: sound, shape \(12, 8, 6\).* Name a mask instead"),
        (slice(0, 5), r"needs a run of 6 frames or more"),
    ],
)
def test_what_a_search_for_damage_cannot_use(frames, message, affine):
    data = damaged_run(affine)[0][..., frames]
    sound = Volume.from_array(data[..., 0] if data.shape[3] == 1 else data, affine, name="sound")
    with pytest.raises(InputError, match=message):
        imputed(Space(), sound, PredictConfig(task="imputation", missing="auto"), 0)


def test_a_mask_file_without_missing_voxels(run, write_nifti):
    path = str(write_nifti(np.zeros(SHAPE, np.float32), "none.nii.gz"))
    with pytest.raises(InputError, match=r"none.nii.gz must be 0 where voxels are known.*all are alike"):
        imputed(Space(), run, PredictConfig(task="imputation", missing=path), 0)


ODD = (10, 6, 6)  # its half has no frequency at the edge


def test_super_resolution_keeps_what_was_measured_and_adds_beyond(affine, rng):
    fine = phantoms.head(ODD)[0] + 200
    low = Volume.from_array(resampled(fine, (5, 3, 3)), affine @ np.diag([2, 2, 2, 1]), name="low")
    grid = Grid(ODD, affine)
    change = 0.05 * rng.standard_normal(ODD).astype(np.float32)
    space = Space(change=change, loss=0.2)
    high = super_resolved(space, low, grid, PredictConfig(task="super-resolution"), 0)
    assert high.shape == ODD
    np.testing.assert_allclose(high.affine, finer_affine(low.affine, (2, 2, 2)))
    np.testing.assert_allclose(resampled(high.frame(0), (5, 3, 3)), low.frame(0), rtol=1e-3)
    added = high.frame(0) - resampled(low.frame(0), ODD)
    assert np.abs(added).mean() > 1
    # What the change has of coarse detail is gone.
    scale = np.percentile(low.frame(0), 99.9)
    np.testing.assert_allclose(added, scale * (change - resampled(resampled(change, (5, 3, 3)), ODD)), atol=1e-3 * scale)
    assert (space.told[..., 1:] == 1).all()


def test_super_resolution_on_any_grid_doubles_a_run_frame_by_frame(affine, rng):
    low = Volume.from_array(500 + 100 * rng.random((5, 3, 3, 2)), affine)
    high = super_resolved(Space(change=0.05 * rng.standard_normal(ODD)), low, None, PredictConfig(task="super-resolution"), 0)
    assert high.shape == (*ODD, 2)
    for t in range(2):
        np.testing.assert_allclose(resampled(high.frame(t), (5, 3, 3)), low.frame(t), rtol=1e-3)
        assert np.abs(high.frame(t) - resampled(low.frame(t), ODD)).mean() > 1


def test_a_coarse_volume_for_trials_is_the_low_part_of_k_space_on_its_own_grid(write_nifti, tmp_path):
    path = write_nifti(phantoms.bold_run((10, 6, 6, 3))[0] + 50)
    low = coarsened(open_image(path), (2, 2, 2))
    low.save(tmp_path / "low.nii")
    before, after = nibabel.load(path), nibabel.load(tmp_path / "low.nii")
    assert after.shape == (5, 3, 3, 3)
    np.testing.assert_allclose(after.get_fdata()[..., 1], resampled(open_image(path).frame(1), (5, 3, 3)), rtol=1e-5)
    np.testing.assert_allclose(after.header.get_zooms()[:3], 2 * np.array(before.header.get_zooms()[:3]), rtol=1e-6)
    np.testing.assert_allclose(after.affine @ [-0.5, -0.5, -0.5, 1], before.affine @ [-0.5, -0.5, -0.5, 1], atol=1e-4)


def test_the_mean_of_all_samples_takes_one_step_where_the_network_has_learnt_it(affine, rng):
    low = Volume.from_array(500 + 100 * rng.random((5, 3, 3)), affine)
    for one_step, steps in ((True, 1), (False, 50)):
        space = Space()
        space.config = types.SimpleNamespace(**{**vars(Space.config), "one_step": one_step})
        super_resolved(space, low, None, PredictConfig(task="super-resolution"), 0).frame(0)
        assert space.options.steps == steps


def test_the_file_on_the_finer_grid_says_where_it_is(write_nifti, tmp_path, affine):
    from keras_mri.io import nifti_reading, nifti_writing

    path = write_nifti(phantoms.head((6, 4, 3))[0], affine=affine @ np.diag([2, 2, 2, 1]))
    grid = Grid(SHAPE, affine)
    nifti_writing.save(
        super_resolved(Space(), nifti_reading.open_image(path), grid, PredictConfig(task="super-resolution"), 0), tmp_path / "high.nii"
    )
    before, after = nibabel.load(path), nibabel.load(tmp_path / "high.nii")
    assert after.shape == SHAPE
    # The outer face of the first voxel stays where it was.
    np.testing.assert_allclose(after.affine @ [-0.5, -0.5, -0.5, 1], before.affine @ [-0.5, -0.5, -0.5, 1], atol=1e-4)


def test_what_is_not_a_coarse_scan_of_the_grid_is_refused(run, affine):
    fine = Volume.from_array(run.frame(0), affine)
    with pytest.raises(GridMismatchError, match=r"expected  shape \(6, 4, 3\)"):
        super_resolved(Space(), fine, Grid(SHAPE, affine), PredictConfig(task="super-resolution"), 0)


def test_reconstruction_shows_what_the_decoder_loses_and_invents_nothing_negative(run):
    restored = reconstructed(Space(loss=0.1), run)
    scale = np.percentile(run.data, 99.9)
    np.testing.assert_allclose(restored.data, np.maximum(run.data - 0.1 * scale, 0), atol=1e-3 * scale)


def test_spikes_stay_and_neither_set_the_scale_nor_fill_a_hole(run, affine):
    mask, spiked = slab() > 0, run.data
    spiked[6, 1, 3, 2] = spiked[5, 4, 2, 4] = 1e6
    plain, repaired = (
        imputed(Space(change=0.1), scan, imputation(mask, affine), 0).data for scan in (run, Volume.from_array(spiked, affine))
    )
    np.testing.assert_array_equal(repaired[~mask], spiked[~mask])
    assert np.abs(repaired - plain)[mask].max() < 0.05 * run.data.max()


def test_what_stands_in_a_hole_does_not_count_as_a_spike(run, affine):
    mask = slab() > 0
    with remarks_kept() as remarks:
        repaired = imputed(
            Space(), Volume.from_array(np.where(mask[..., None], -32767, run.data), affine), imputation(mask, affine), 0
        ).data
    assert remarks == [] and repaired.min() > 0


def test_spikes_and_zeros_come_back_from_a_reconstruction_and_on_a_finer_grid(run, affine):
    scan = run.frame(0).copy()
    scan[6, 4, 3], scan[:, :3] = 1e6, 0
    volume = Volume.from_array(scan, affine)
    back = reconstructed(Space(loss=0.3), volume).frame(0)
    np.testing.assert_array_equal(back[(scan == 0) | (scan == 1e6)], scan[(scan == 0) | (scan == 1e6)])
    fine = Grid((24, 16, 12), finer_affine(affine, (2, 2, 2)))
    finer = super_resolved(Space(), volume, fine, PredictConfig(task="super-resolution"), 0).frame(0)
    np.testing.assert_array_equal(finer[:, :4], 0)
    assert (finer == 1e6).sum() == 8 and np.median(finer[finer != 1e6]) < run.data.max()
