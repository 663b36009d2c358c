"""The judge: noise, removed part and anatomy that were drawn are found, frame by frame, with one look at each."""

import numpy as np
import pytest
from scipy import ndimage

from experiments.data import FOLDER
from keras_mri.errors import GridMismatchError, InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.judging import Judge, comparable, see_all
from keras_mri.imaging.verdict import ANATOMY_REMOVED, CHANGES_REMOVED, LEFT, NOISE_REMOVED
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume

SHAPE, FRAMES, SIGMA = (22, 20, 18), 60, 20.0


@pytest.fixture
def head():
    return phantoms.head(SHAPE)


@pytest.fixture
def noise(rng):
    return rng.normal(0, SIGMA, (*SHAPE, FRAMES)).astype(np.float32)


def judged(before, after, affine, mask=None, **options):
    volumes = (Volume.from_array(data, affine, name=name) for data, name in ((before, "before.nii"), (after, "after.nii")))
    judge = Judge(*volumes, mask, **options)
    see_all([judge])
    return judge


def test_noise_and_the_part_of_it_that_is_removed_are_found(head, noise, affine):
    clean, brain = head
    before = clean[..., None] + noise
    verdict = judged(before, before - 0.6 * noise, affine, brain).verdict()
    assert (verdict.frames, verdict.region, verdict.noise_from) == (FRAMES, "mask", "differences of frames")
    assert verdict.noise == pytest.approx(SIGMA, rel=0.02) and verdict.share == pytest.approx(0.6, abs=0.02)
    assert verdict.anatomy < 0.005 and verdict.word == NOISE_REMOVED
    # 0.4 of the noise is left.
    assert verdict.tsnr.after / verdict.tsnr.before == pytest.approx(1 / 0.4, rel=0.01)
    assert verdict.tsnr.before == pytest.approx(np.median(clean[brain]) / SIGMA, rel=0.05)
    assert verdict.autocorrelation == pytest.approx((0, 0), abs=0.02)


@pytest.mark.parametrize("frames", [5, FRAMES])
def test_the_share_that_is_the_same_in_every_frame_is_what_was_drawn(head, noise, affine, frames):
    clean, brain = head
    anatomy = 15 * np.sign(np.indices(SHAPE).sum(axis=0) % 3 - 1.0)
    noise = noise[..., :frames]
    before = clean[..., None] + noise
    verdict = judged(before, before - 0.5 * noise - anatomy[..., None], affine, brain).verdict()
    # Of three diagonals, two are ±15: 150 on average. Of the noise half its SD: 100.
    assert verdict.anatomy == pytest.approx(150 / 250, abs=0.02) and verdict.anatomy_sd == pytest.approx(np.sqrt(150), rel=0.03)
    assert verdict.word == ANATOMY_REMOVED


def test_a_blur_a_mean_and_next_to_nothing_have_their_words(head, noise, affine):
    clean, brain = head
    before = clean[..., None] + noise
    blurred = ndimage.gaussian_filter(before, (0.6, 0.6, 0.6, 0))
    mean = np.repeat(before.mean(axis=-1, keepdims=True), FRAMES, axis=-1)
    words = [judged(before, after, affine, brain).verdict().word for after in (blurred, mean, before - 0.05 * noise, before)]
    assert words == [ANATOMY_REMOVED, CHANGES_REMOVED, LEFT, LEFT]


def test_smoothing_in_time_shows_in_the_autocorrelation_and_in_space_in_the_fwhm(head, noise, affine):
    clean, brain = head
    before = clean[..., None] + noise
    # Moving average of two frames: neighbours share one of two.
    shared = clean[..., None] + (noise + np.roll(noise, 1, axis=-1)) / 2
    assert judged(before, shared, affine, brain).verdict().autocorrelation.after == pytest.approx(0.5, abs=0.03)
    smooth = clean[..., None] + ndimage.gaussian_filter(noise, (1, 1, 1, 0))
    # sqrt(8 ln 2) times 2, 2.5 and 3 mm, geometric mean.
    assert judged(before, smooth, affine, brain).verdict().fwhm.after == pytest.approx(2.355 * 15 ** (1 / 3), rel=0.05)


def test_frames_that_are_not_counted_or_blank_do_not_count(head, noise, affine):
    clean, brain = head
    before = clean[..., None] + noise
    after = before - 0.6 * noise
    before[..., 7] *= 3
    before[..., 30] = 0
    counted = [t for t in range(FRAMES) if t != 7]
    verdict = judged(before, after, affine, brain, counted=counted).verdict()
    assert verdict.frames == FRAMES - 2
    assert verdict.noise == pytest.approx(SIGMA, rel=0.02) and verdict.share == pytest.approx(0.6, abs=0.02)
    assert verdict.anatomy == pytest.approx(0, abs=5e-3)
    # Where nobody has left it out, the spike is among what was removed, but not among the noise.
    spiked = judged(before, after, affine, brain).verdict()
    assert spiked.noise == pytest.approx(SIGMA, rel=0.1) and spiked.share > 1.5


def test_exact_zeros_are_left_out_and_the_brain_is_found_without_a_mask(head, noise, affine):
    clean, brain = head
    cut = np.where(brain[..., None], clean[..., None] + noise, 0)
    for mask in (None, np.ones(SHAPE, bool)):
        verdict = judged(cut, cut - 0.6 * np.where(brain[..., None], noise, 0), affine, mask).verdict()
        assert verdict.noise == pytest.approx(SIGMA, rel=0.02) and verdict.share == pytest.approx(0.6, abs=0.02)
        assert verdict.region == ("brain" if mask is None else "mask")


def test_the_noise_map_covers_the_whole_image(head, rng, affine):
    clean, _ = head
    before = clean[..., None] + np.where(np.arange(SHAPE[0]) < 11, 5, 20)[:, None, None, None] * rng.normal(size=(*SHAPE, FRAMES))
    sigma = judged(before, before, affine).noise_map()
    assert (sigma.shape, sigma.dtype) == (SHAPE, np.float32)
    assert np.median(sigma[:11]) == pytest.approx(5, rel=0.03) and np.median(sigma[11:]) == pytest.approx(20, rel=0.03)
    with pytest.raises(InputError, match="`noise_map` needs a run of at least 3 frames"):
        judged(before[..., :2], before[..., :2], affine).noise_map()


@pytest.mark.parametrize("frames", [None, 2])
def test_a_volume_is_judged_by_its_edges(rng, affine, frames):
    clean, brain = phantoms.head((41, 38, 35))
    clean = clean if frames is None else np.stack([clean] * frames, axis=-1)
    noise = rng.normal(0, SIGMA, clean.shape)
    verdict = judged(clean + noise, clean + 0.2 * noise, affine, brain).verdict()
    assert (verdict.noise_from, verdict.anatomy_from, verdict.tsnr, verdict.frames) == ("air", "edges", None, 1)
    assert verdict.noise == pytest.approx(SIGMA, rel=0.2) and verdict.removed == pytest.approx(0.8 * SIGMA, rel=0.02)
    assert verdict.word == NOISE_REMOVED
    blurred = ndimage.gaussian_filter(clean + noise, (0.6, 0.6, 0.6, 0)[: clean.ndim])
    assert judged(clean + noise, blurred, affine, brain).verdict().word == ANATOMY_REMOVED


@pytest.mark.real_data
@pytest.mark.skipif(not (FOLDER / "prisma-mini").is_dir(), reason="needs the scans")
def test_a_real_run_keeps_its_anatomy_where_only_what_fluctuates_is_smoothed():
    run = open_image(FOLDER / "prisma-mini" / "bold.nii.gz")
    data = run.data
    mean, width = data.mean(axis=-1, keepdims=True), (0.64, 0.64, 0.64, 0)
    smoothed = {"all": ndimage.gaussian_filter(data, width), "what fluctuates": mean + ndimage.gaussian_filter(data - mean, width)}
    words = {name: judged(data, after, run.affine).verdict().word for name, after in smoothed.items()}
    assert words == {"all": ANATOMY_REMOVED, "what fluctuates": NOISE_REMOVED}
    # A single frame, where edges must tell: smoothed, and the noise taken out that the mean does not have.
    words = [judged(data[..., 9], after[..., 9 % after.shape[-1]], run.affine).verdict().word for after in (smoothed["all"], mean)]
    assert words == [ANATOMY_REMOVED, NOISE_REMOVED]


def test_each_frame_is_read_once_and_in_order(affine, noise):
    asked = []

    def read(t):
        asked.append(t)
        return noise[..., t] + 100

    before = Volume(read, noise.shape, affine)
    judge = Judge(before, before.with_frames(lambda t: before.frame(t) / 2))
    result = judge.watched()
    for t in range(FRAMES):
        np.testing.assert_array_equal(result.frame(t), (noise[..., t] + 100) / 2)
    # A second look changes nothing.
    result.frame(0)
    assert asked[:FRAMES] == list(range(FRAMES)) and judge.verdict().frames == FRAMES


def test_what_the_system_knows_is_in_the_verdict(head, noise, affine):
    before = head[0][..., None] + noise
    verdict = judged(before, before - noise / 2, affine, facts={"keep_trained": 0.95, "keep_measured": 0.9, "spread": 0.1}).verdict()
    assert (verdict.keep_trained, verdict.keep_measured, verdict.spread) == (0.95, 0.9, 0.1)


def test_nan_in_the_result_counts_as_zero(head, noise, affine):
    before = head[0][..., None] + noise
    after = before.copy()
    after[11, 10, 9, 3] = np.nan
    judge = Judge(Volume.from_array(before, affine), Volume(lambda t: after[..., t], after.shape, affine))
    see_all([judge])
    assert judge.verdict().word == LEFT


def test_what_cannot_be_compared_is_refused(affine, rng):
    one, cut, short = (
        Volume.from_array(rng.random(shape), affine, name=f"{shape}") for shape in ((9, 8, 7, 4), (9, 8, 6, 4), (9, 8, 7, 3))
    )
    with pytest.raises(GridMismatchError, match="the images must lie on one grid"):
        Judge(one, cut)
    with pytest.raises(InputError, match=r"same number of frames. Received: 4 in \(9, 8, 7, 4\), 3 in \(9, 8, 7, 3\)"):
        Judge(one, short)
    assert [comparable(one, other) for other in (one, cut, short)] == [True, False, False]
    with pytest.raises(InputError, match=r"no frame of \(9, 8, 7, 4\) can be judged"):
        Judge(one, one).verdict()


def test_a_pedestal_changes_no_verdict(affine, rng):
    clean, _ = phantoms.head((24, 22, 20), seed=1)
    before = np.hypot(clean + rng.normal(0, 40, clean.shape), rng.normal(0, 40, clean.shape))
    verdicts = []
    for level in (0, 1e9):
        volumes = [
            Volume(lambda t, data=data: data, clean.shape, affine, name="scan") for data in (before + level, (before + clean) / 2 + level)
        ]
        judged = Judge(*volumes)
        see_all([judged])
        verdicts.append(judged.verdict())
    plain, high = verdicts
    assert (
        high.word == plain.word
        and high.removed == pytest.approx(plain.removed, rel=0.03)
        and high.noise == pytest.approx(plain.noise, rel=0.1)
    )
