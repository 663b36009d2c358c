"""Words by thresholds, lines typed by hand, and the row of a table."""

import numpy as np
import pytest

from keras_mri.imaging.verdict import ANATOMY_REMOVED, CHANGES_REMOVED, LEFT, NOISE_REMOVED, Pair, Verdict

RUN = dict(
    frames=156, region="brain", noise=12.34, noise_from="differences of frames", removed=9.87, anatomy=0.004, anatomy_from="frames",
    anatomy_sd=0.62, tsnr=Pair(56.2, 118.4), autocorrelation=Pair(0.02, 0.11), fwhm=Pair(2.3, 2.9),
)  # fmt: skip
VOLUME = dict(
    frames=1, region="mask", noise=12.34, noise_from="image", removed=9.87, anatomy=0.002, anatomy_from="edges", anatomy_sd=0.44,
)  # fmt: skip


def test_noise_removed_takes_one_line():
    assert Verdict(**RUN).lines("bold.nii.gz") == [
        "bold.nii.gz: noise SD 12.3 (differences of frames); removed SD 9.87 in the brain = 0.80 of the noise, 0.4 % of it the same in "
        "every frame; tSNR 56.2 -> 118: noise removed"
    ]
    assert Verdict(**VOLUME).lines("t1w.nii") == [
        "t1w.nii: noise SD 12.3 (image); removed SD 9.87 in the mask = 0.80 of the noise, at least 0.2 % of it along edges: noise removed"
    ]


@pytest.mark.parametrize(
    ("changes", "word", "remark"),
    [
        (dict(anatomy=0.5, anatomy_sd=7.0), ANATOMY_REMOVED, "more than 10 % of what was removed is anatomy: train longer, or use"),
        # Much of little is little.
        (dict(removed=1.0, anatomy=0.99, anatomy_sd=1.0), LEFT, "less than 10 % of the noise was removed: train longer, or use"),
        (dict(removed=1.5, anatomy=0.2, anatomy_sd=0.7), NOISE_REMOVED, None),
        # Edges alone: nothing happens in most voxels.
        (dict(removed=0.5, anatomy=0.98, anatomy_sd=6.0), ANATOMY_REMOVED, "anatomy"),
        (dict(removed=16.0), NOISE_REMOVED, "more was removed than the noise: signal may have gone with it."),
        (dict(tsnr=Pair(50.0, np.inf)), CHANGES_REMOVED, "hardly anything differs between frames any more: activations are gone."),
        (dict(autocorrelation=Pair(0.02, 0.78)), NOISE_REMOVED, "the correlation of each frame with the next rose from 0.02 to 0.78"),
        (dict(autocorrelation=Pair(0.02, np.nan)), NOISE_REMOVED, None),
        (dict(noise=0.0, removed=0.0, anatomy=0.0, anatomy_sd=0.0), LEFT, "less than"),
        (dict(noise=0.0, removed=3.0, anatomy=0.9, anatomy_sd=2.9), ANATOMY_REMOVED, "anatomy"),
    ],
)  # fmt: skip
def test_words_have_their_reason_beside_them(changes, word, remark):
    verdict = Verdict(**{**RUN, **changes})
    assert verdict.word == word
    assert len(verdict.remarks()) == (remark is not None) and all(remark in text for text in verdict.remarks())


def test_a_volume_has_a_lower_threshold_because_its_share_is_a_lower_bound():
    assert Verdict(**{**VOLUME, "anatomy": 0.06, "anatomy_sd": 2.4}).word == ANATOMY_REMOVED
    assert Verdict(**{**RUN, "anatomy": 0.06, "anatomy_sd": 2.4}).word == NOISE_REMOVED


def test_no_noise_has_no_share():
    verdict = Verdict(**{**RUN, "noise": 0.0})
    assert verdict.share is None and verdict.lines("a")[0].startswith("a: no noise found (differences of frames); removed SD 9.87 in the")


def test_what_a_system_knows_of_activations_is_shown():
    known = Verdict(**RUN, keep_trained=0.95, keep_measured=0.967, spread=0.21)
    assert known.lines("a")[1:] == ["  0.97 of a test activation is kept, trained for 0.95; 0.21 of it spreads to its surroundings."]
    assert Verdict(**RUN, keep_measured=0.967).remarks() == ["0.97 of a test activation is kept."]


def test_a_bias_that_was_removed_is_named():
    sentence = "the bias that noise gives a magnitude image was removed, 15.4 in air; `keep_bias` leaves it."
    assert Verdict(**VOLUME, bias=15.44).lines("a")[1:] == [f"  {sentence}"]
    assert Verdict(**VOLUME, bias=15.44).row()["bias"] == 15.44 and Verdict(**VOLUME).remarks() == []


def test_the_row_of_a_table_is_flat_and_has_the_same_names_for_all():
    run, volume = (Verdict(**numbers).row() for numbers in (RUN, VOLUME))
    assert list(run) == list(volume)
    assert (run["share"], run["tsnr_after"], run["verdict"]) == (pytest.approx(9.87 / 12.34), 118.4, "noise removed")
    assert volume["tsnr_before"] is None and volume["keep_measured"] is None
