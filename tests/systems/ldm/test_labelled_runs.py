import nibabel
import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.volumes import Volume
from keras_mri.systems.ldm.labelled_runs import Grid, labelled_runs, repetition_time
from keras_mri.systems.ldm.labels import MOTOR
from keras_mri.systems.ldm.settings import Config


@pytest.fixture
def run(rng, write_nifti):
    """Ten volumes, two seconds apart, in the file's own unit."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((9, 8, 7, 10))
    header.set_zooms((1, 1, 1, 2.0))
    return lambda name="run.nii.gz": write_nifti((500 * rng.random((9, 8, 7, 10))).astype(np.float32), name, header=header)


def table(tmp_path, text):
    path = tmp_path / "events.tsv"
    path.write_text(text.replace(" ", "\t"))
    return str(path)


def test_events_label_the_volumes_after_the_lag(run, tmp_path):
    path = table(tmp_path, "onset duration trial_type\n2 4 rh\n")
    data = labelled_runs([run()], Config(events=(path,), lag=4.0))
    assert data.names == MOTOR
    np.testing.assert_array_equal(data.codes[0], [5, 5, 5, 1, 1, 5, 5, 5, 5, 5])
    assert data.grid.shape == (9, 8, 7)


def test_without_labels_every_volume_is_of_no_class(run):
    data = labelled_runs([run()], Config())
    assert data.names == () and (data.codes[0] == 0).all()


def test_a_word_labels_all_volumes_of_an_image(run):
    data = labelled_runs([run("a.nii.gz"), run("b.nii.gz")], Config(labels=("prisma", "forrest")))
    assert data.names == ("forrest", "prisma")
    assert (data.codes[0] == 1).all() and (data.codes[1] == 0).all()


def test_network_units_and_the_way_back(run):
    path = run()
    data = labelled_runs([path], Config())
    np.testing.assert_allclose(data.scaling.invert(data.runs[0]), nibabel.load(path).get_fdata(), rtol=1e-5)
    assert 0 <= data.runs[0].min() and data.runs[0].max() < 1.1


def test_the_last_fifth_in_time_is_held_out_with_its_labels(run, tmp_path):
    path = table(tmp_path, "onset duration trial_type\n14 2 rh\n18 2 lh\n")
    training, held_out = labelled_runs([run()], Config(events=(path,), lag=0.0)).divided()
    assert [part.runs[0].shape[3] for part in (training, held_out)] == [8, 2]
    np.testing.assert_array_equal(training.codes[0], [5, 5, 5, 5, 5, 5, 5, 1])
    np.testing.assert_array_equal(held_out.codes[0], [5, 0])


def test_of_single_volumes_files_are_held_out_and_of_a_single_one_slices(rng, affine):
    volumes = [Volume.from_array(rng.random((9, 8, 7)), affine) for _ in range(5)]
    training, held_out = labelled_runs(volumes, Config(labels=tuple("abcde"))).divided()
    assert [len(part.runs) for part in (training, held_out)] == [4, 1]
    assert [int(one[0]) for one in training.codes + held_out.codes] == [0, 1, 2, 3, 4]
    training, held_out = labelled_runs(volumes[:1], Config(labels=("a",))).divided()
    assert training.runs[0].shape[0] + held_out.runs[0].shape[0] == 9 and len(held_out.codes[0]) == 1


def test_images_on_different_grids_say_what_to_do(run, rng, affine):
    other = Volume.from_array(rng.random((9, 8, 6)), affine, name="other")
    with pytest.raises(GridMismatchError, match=r"other does not lie on the grid(.|\n)*\(9, 8, 7\)(.|\n)*\(9, 8, 6\)(.|\n)*Resample it"):
        labelled_runs([run(), other], Config())


def test_a_grid_goes_through_json_and_knows_another_head_position_as_its_own(rng, affine):
    grid = Grid.from_json(Grid((9, 8, 7), affine).to_json())
    moved = affine.copy()
    moved[:3, 3] += 20
    grid.check(Volume.from_array(rng.random((9, 8, 7, 3)), moved))
    grid.check(Volume.from_array(rng.random((5, 4, 4)), affine @ np.diag([9 / 5, 2, 7 / 4, 1])), (5, 4, 4))
    with pytest.raises(GridMismatchError, match="zooms"):
        grid.check(Volume.from_array(rng.random((9, 8, 7)), affine @ np.diag([1.1, 1, 1, 1])))
    with pytest.raises(GridMismatchError, match=r"expected  shape \(5, 4, 4\)"):
        grid.check(Volume.from_array(rng.random((9, 8, 7)), affine), (5, 4, 4))


def test_as_many_tables_as_images(run):
    with pytest.raises(InputError, match=r"`labels` needs one table for each image, in their order. Received: 2 for 1 image"):
        labelled_runs([run()], Config(labels=("a", "b")))


def test_a_table_with_another_ending_is_still_a_table(run, tmp_path):
    (tmp_path / "labels.csv").write_text("face,house\n")
    with pytest.raises(InputError, match="labels.csv has no column `label`"):
        labelled_runs([run()], Config(labels=(str(tmp_path / "labels.csv"),)))


@pytest.mark.parametrize(("step", "unit"), [(2.5, "sec"), (2500, "msec"), (2.5, "unknown")])
def test_the_repetition_time_is_in_seconds_whatever_the_header_s_unit(write_nifti, rng, step, unit):
    header = nibabel.Nifti1Header()
    header.set_data_shape((9, 8, 7, 4))
    header.set_zooms((2, 2, 3, step))
    header.set_xyzt_units("mm", unit)
    path = write_nifti(rng.random((9, 8, 7, 4)).astype(np.float32), header=header)
    assert repetition_time(open_image(path)) == pytest.approx(2.5)


def test_events_against_two_repetition_times_wait_for_the_user(run, tmp_path):
    path = table(tmp_path, "onset duration trial_type\n4 4 rh\n")
    (tmp_path / "run.json").write_text('{"RepetitionTime": 4.0}')
    with pytest.raises(InputError, match="run.nii.gz has two repetition times: 2 without a unit of time in its header and 4 s in run.json"):
        labelled_runs([run()], Config(events=(path,), lag=0.0))
    # Without events, no time matters.
    labelled_runs([run()], Config())
    assert list(labelled_runs([run()], Config(events=(path,), lag=0.0, tr=2.0)).codes[0]) == [5, 5, 1, 1, 5, 5, 5, 5, 5, 5]
    assert list(labelled_runs([run()], Config(events=(path,), lag=0.0, tr=4.0)).codes[0]) == [5, 1, 5, 5, 5, 5, 5, 5, 5, 5]


def test_a_run_without_a_repetition_time_says_what_to_do(rng, affine):
    run = Volume.from_array(rng.random((9, 8, 7, 4)), affine, name="run")
    with pytest.raises(InputError, match="run says no repetition time.*`tr`.*`labels`"):
        repetition_time(run)
