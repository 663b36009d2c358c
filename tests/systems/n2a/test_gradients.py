"""Gradients beside repetitions, written by hand: what repeats what, and what is said of vectors after a rotation."""

import logging

import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io.volumes import Volume
from keras_mri.systems.n2a.gradients import check_frames_repeat, check_volumes_repeat, gradients_beside, remark_on_rotation

DIRECTIONS = "0 1 0\n0 0 1\n0 0 0\n"


@pytest.fixture
def run(tmp_path):
    """Return a function that names a run of three frames with gradients beside it."""

    def make(name, values="0 1000 1000\n", vectors=DIRECTIONS, ending=".nii.gz", frames=3):
        (tmp_path / f"{name}.bval").write_text(values)
        (tmp_path / f"{name}.bvec").write_text(vectors)
        volume = Volume.from_array(np.zeros((3, 4, 5, frames)), np.eye(4), name=tmp_path / f"{name}{ending}")
        volume.file = tmp_path / f"{name}{ending}"
        return volume

    return make


@pytest.mark.parametrize("ending", [".nii.gz", ".nii"])
def test_gradients_are_read_in_rows_or_in_columns(run, ending):
    for vectors in ("0 1 0 0\n0 0 1 0\n0 0 0 1\n", "0 0 0\n1 0 0\n0 1 0\n0 0 1\n"):
        table = gradients_beside(run("dwi.v1", "0 1000 1000 1000\n", vectors, ending, frames=4))
        assert table.name == "dwi.v1.bvec"
        np.testing.assert_array_equal(table.values, [0, 1000, 1000, 1000])
        np.testing.assert_array_equal(table.vectors, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_an_image_without_gradients_has_none():
    for name in ("image", "nowhere/dwi.nii.gz", "bold.nii"):
        assert gradients_beside(Volume.from_array(np.zeros((3, 4, 5)), np.eye(4), name=name)) is None


@pytest.mark.parametrize(
    ("values", "vectors", "frames", "remark"),
    [
        ("0 1000 x\n", DIRECTIONS, 3, "dwi.bvec: cannot be read"),
        ("0 1000 1000\n", "0 1\n0 0 1\n", 3, "dwi.bvec: cannot be read"),
        ("0 1000 1000\n", DIRECTIONS, 2, "dwi.bvec: 3 b-values and 3 vectors for 2 frame"),
    ],
)
def test_gradients_that_do_not_belong_to_the_image_are_remarked_on(run, caplog, values, vectors, frames, remark):
    assert gradients_beside(run("dwi", values, vectors, frames=frames)) is None
    assert f"warning: {remark}" in caplog.text and "was not checked" in caplog.text


def test_volumes_with_different_gradients_are_no_repetitions(run):
    with pytest.raises(
        InputError, match=r"do not repeat one another: dwi.bvec gives .* \(b 0 to 1000 s/mm²; volume 1 differs from volume 0\)"
    ):
        check_volumes_repeat(run("dwi"))
    with pytest.raises(InputError, match="volume 2 differs"):
        check_volumes_repeat(run("two", "1000 1000 1000\n", "1 1 0\n0 0 1\n0 0 0\n"))


def test_volumes_with_one_gradient_are_repetitions(run):
    check_volumes_repeat(run("b0", "0 5 0\n", "0 1 0\n0 0 1\n0 0 0\n"))
    # The opposite direction weights alike, and scanners round b.
    check_volumes_repeat(run("one", "1000 995 1005\n", "1 -1 0.999\n0 0 0.04\n0 0 0\n"))


def test_frames_of_two_runs_repeat_each_other_where_their_gradients_do(run):
    first = run("rep1")
    check_frames_repeat(first, run("rep2", "0 1010 990\n", "0 -1 0\n0 0 1\n0 0 0\n"))
    check_frames_repeat(first, Volume.from_array(np.zeros((3, 4, 5, 3)), np.eye(4)))
    with pytest.raises(
        InputError,
        match=r"frame 1 of .*swapped.nii.gz does not repeat .*rep1.nii.gz: b 1000 along 0.00 1.00 0.00 against b 1000 along 1.00",
    ):
        check_frames_repeat(first, run("swapped", vectors="0 0 1\n0 1 0\n0 0 0\n"))
    with pytest.raises(InputError, match="frame 2 of .*: b 2000 along"):
        check_frames_repeat(first, run("shells", "0 1000 2000\n"))


def test_vectors_of_turned_frames_are_remarked_on(run, caplog):
    caplog.set_level(logging.INFO, "keras_mri")
    first, second, bare = run("rep1"), run("rep2"), Volume.from_array(np.zeros((3, 4, 5, 3)), np.eye(4), name="a/bare.nii")
    remark_on_rotation(second, first, 0.0)
    remark_on_rotation(bare, first, 3.0)
    assert not caplog.records
    remark_on_rotation(second, first, 1.26)
    remark_on_rotation(second, bare, 1.26)
    assert [record.getMessage() for record in caplog.records] == [
        "warning: rep2.nii.gz: frames were rotated by up to 1.3 degrees onto the first repetition: the result goes with rep1.bvec; the "
        "b-vectors of rep2.bvec must be rotated with the frames before they are used",
        "warning: rep2.nii.gz: frames were rotated by up to 1.3 degrees onto the first repetition: the result is in the position of "
        "bare.nii; the b-vectors of rep2.bvec must be rotated with the frames before they are used",
    ]
