"""From the command line: what a network of runs cannot denoise gets one message and exit 2, and nothing is written."""

import dataclasses

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from keras_mri import predict, train
from keras_mri.errors import InputError, remarks_kept
from keras_mri.imaging import phantoms
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.networks.run_unet import run_unet
from keras_mri.saving import checkpoints
from keras_mri.systems.wgan import system as wgan
from keras_mri.systems.wgan.run_prediction import check_network
from tests.systems.wgan.run_networks import FLOAT32, WIDEST, checkpoint_of, head_run, network_that_takes, volume_of

SHAPE, FRAMES = (14, 13, 9), 12


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "runs.h5"
    checkpoints.save(checkpoint_of(network_that_takes(WIDEST)), path)
    return str(path)


@pytest.fixture
def run():
    return head_run((*SHAPE, FRAMES), offset=200)[0]


def written(folder, data, repetition_time=2.0, name="bold.nii.gz"):
    image = nibabel.Nifti1Image(data, phantoms.oblique_affine())
    if data.ndim == 4:
        image.header.set_zooms((*image.header.get_zooms()[:3], repetition_time))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, folder / name)
    return str(folder / name)


def predicted(network, scan, folder, capsys):
    """Predict by the command: the exit status, what it said, and the names of the files in its folder."""
    (folder / "out").mkdir()
    status = predict.main([network, scan, "-o", str(folder / "out" / "denoised.nii.gz"), "--precision", "float32"])
    return status, capsys.readouterr().err, [path.name for path in (folder / "out").iterdir()]


@pytest.mark.parametrize(
    ("shape", "received"),
    [((*SHAPE, 9), "bold.nii.gz with 9"), ((*SHAPE, 2), "bold.nii.gz with 2"), (SHAPE, "bold.nii.gz with 1")],
)
def test_a_short_run_and_a_volume_are_refused_by_a_network_of_runs(network, tmp_path, capsys, shape, received):
    data = head_run(shape if len(shape) == 4 else (*shape, 1), offset=200)[0].reshape(shape)
    status, said, files = predicted(network, written(tmp_path, data), tmp_path, capsys)
    assert (status, files) == (2, [])
    assert "this network denoises runs of 10 frames or more. Received: " in said and received in said
    assert "Use a network of single volumes (trained with `frames` 1), e.g. epi" in said and "Traceback" not in said


def test_ten_frames_are_enough(network, tmp_path, capsys):
    status, said, files = predicted(network, written(tmp_path, head_run((*SHAPE, 10), offset=200)[0]), tmp_path, capsys)
    assert (status, files) == (0, ["denoised.nii.gz"]), said


def test_a_network_of_another_number_of_channels_is_refused(tmp_path, capsys, run):
    path = tmp_path / "six.h5"
    checkpoints.save(checkpoint_of(run_unet((2, 2), (1, 1), channels=6)), path)
    status, said, files = predicted(str(path), written(tmp_path, run), tmp_path, capsys)
    assert (status, files) == (2, [])
    assert "a network of runs sees 5 channels. Received: one of 6. Train it anew" in said
    with pytest.raises(InputError, match="sees 5 channels. Received: one of 6"):
        check_network(run_unet((2, 2), (1, 1), channels=6), volume_of(run))


def test_a_constant_run_is_refused_at_the_door(network, tmp_path, capsys):
    status, said, files = predicted(network, written(tmp_path, np.full((*SHAPE, FRAMES), 300, np.float32)), tmp_path, capsys)
    assert (status, files) == (2, []) and "is constant or empty: every voxel is 300" in said


def test_frames_that_are_all_equal_pass_as_they_are(network, tmp_path, capsys):
    head, _ = phantoms.head(SHAPE)
    run = np.repeat(head[..., None], FRAMES, axis=3)
    status, said, files = predicted(network, written(tmp_path, run), tmp_path, capsys)
    assert (status, files) == (0, ["denoised.nii.gz"]), said
    np.testing.assert_array_equal(nibabel.load(tmp_path / "out" / "denoised.nii.gz").get_fdata(), run)


def test_a_skull_stripped_run_keeps_its_exact_zeros(network, tmp_path, capsys, run):
    _, brain = phantoms.head(SHAPE)
    run *= brain[..., None]
    status, said, _ = predicted(network, written(tmp_path, run), tmp_path, capsys)
    after = nibabel.load(tmp_path / "out" / "denoised.nii.gz").get_fdata()
    assert status == 0, said
    assert (after[~brain] == 0).all() and (after[brain] > 0).all()
    assert after[brain].std(axis=1).mean() < 0.6 * run[brain].std(axis=1).mean()


@pytest.mark.parametrize("repetition_time", [0.0, 2000.0])
def test_without_a_usable_repetition_time_the_run_is_denoised_all_the_same(network, tmp_path, capsys, run, repetition_time):
    status, said, _ = predicted(network, written(tmp_path, run, repetition_time), tmp_path, capsys)
    assert status == 0, said
    after = nibabel.load(tmp_path / "out" / "denoised.nii.gz")
    assert after.header.get_zooms()[3] == repetition_time
    np.testing.assert_allclose(after.get_fdata().mean(axis=3), run.mean(axis=3), rtol=1e-4)
    assert ("bold.nii.gz: no repetition time in its header; 2 s are assumed; state another with --tr" in said) == (not repetition_time)
    assert ("bold.nii.gz: its header gives a repetition time of 2000 s, which is read as 2 s; state another with --tr" in said) == bool(
        repetition_time
    )


def test_a_header_against_its_side_car_is_refused_until_the_user_decides(network, tmp_path, capsys, run):
    scan = written(tmp_path, run, 1.0)
    (tmp_path / "bold.json").write_text('{"RepetitionTime": 2.0}')
    status, said, files = predicted(network, scan, tmp_path, capsys)
    assert (status, files) == (2, []) and "Traceback" not in said
    assert "bold.nii.gz has two repetition times: 1 s in its header and 2 s in bold.json. Find" in said and "state it with --tr" in said
    for number, decided in enumerate(("2", "1")):
        assert predict.main([network, scan, "-o", str(tmp_path / f"{number}.nii.gz"), "--tr", decided]) == 0
        after = nibabel.load(tmp_path / f"{number}.nii.gz")
        assert after.header.get_zooms()[3] == 1.0
    # The time that is named is used: the basis of time courses depends on it.
    first, second = (nibabel.load(tmp_path / f"{number}.nii.gz").get_fdata() for number in (0, 1))
    assert not np.array_equal(first, second)
    status = train.main(["wgan", scan, "--epochs", "1", "-o", str(tmp_path / "no.h5")])
    assert status == 2 and "two repetition times" in capsys.readouterr().err and not list(tmp_path.glob("no*"))


def test_a_repetition_time_for_a_network_of_single_volumes_is_said_to_have_no_meaning(run):
    network = residual_unet((None, None, None, 1), (2, 2), (1, 1))
    checkpoint = dataclasses.replace(checkpoint_of(network), inference={"scaling": "percentile"})
    with remarks_kept() as remarks:
        wgan.predict(checkpoint, [volume_of(run)], dataclasses.replace(FLOAT32, tr=2.0))
    assert remarks == ["bold.nii.gz: `tr` has no meaning for a network of single volumes and is ignored"]


@pytest.mark.parametrize("wrong", ["0", "-2", "2000", "nan", "two"])
def test_a_repetition_time_that_cannot_be_is_refused(network, tmp_path, capsys, run, wrong):
    scan = written(tmp_path, run)
    assert predict.main([network, scan, "-o", str(tmp_path / "out.nii.gz"), f"--tr={wrong}"]) == 2
    assert "--tr" in capsys.readouterr().err and not (tmp_path / "out.nii.gz").exists()


def test_a_run_without_a_header_is_denoised(run):
    from keras_mri.io.volumes import Volume

    restored = wgan.predict(checkpoint_of(network_that_takes(WIDEST)), [Volume.from_array(run, np.eye(4))], FLOAT32)
    np.testing.assert_allclose(restored.data.mean(axis=3), run.mean(axis=3), rtol=1e-4)


@pytest.mark.parametrize("smoothed", [True, False])
def test_a_run_that_was_smoothed_before_is_denoised_with_a_warning(network, tmp_path, capsys, run, smoothed):
    if smoothed:
        run = np.stack([ndimage.gaussian_filter(run[..., t], 1.2) for t in range(FRAMES)], axis=-1)
    status, said, files = predicted(network, written(tmp_path, run), tmp_path, capsys)
    assert (status, files) == (0, ["denoised.nii.gz"]), said
    assert ("bold.nii.gz: was smoothed or resampled before (correlation of neighbouring voxels 0." in said) == smoothed
    assert ("denoise first, then smooth" in said) == smoothed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "0"], "--keep must be at least 0.01. Received: 0.0"),
        (["--keep", "1.5"], "--keep must be at most 1.0. Received: 1.5"),
        (["--keep", "all"], "--keep"),
        (["--response-weight", "-1"], "--response-weight must be at least 0.0. Received: -1.0"),
        (["--temporal-smoothing", "0.6"], "unknown option --temporal-smoothing"),
    ],
)
def test_options_of_runs_are_refused_by_their_name_before_anything_is_read(tmp_path, capsys, options, message):
    assert train.main(["wgan", str(tmp_path / "bold.nii.gz"), *options, "-o", str(tmp_path / "network.h5")]) == 2
    said = capsys.readouterr().err
    assert message in said and "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


SMALL = "--epochs 1 --steps-per-epoch 1 --batch-size 8 --filters 2 2 --depths 1 1 --patch-shape 8 8 4 --precision float32".split()


def trained(scan, folder, capsys, *options):
    (folder / "out").mkdir()
    status = train.main(["wgan", scan, *SMALL, *options, "-o", str(folder / "out" / "network.h5")])
    return status, capsys.readouterr().err, sorted(path.name for path in (folder / "out").iterdir())


def test_a_run_of_few_good_frames_does_not_train(tmp_path, capsys, run):
    run[..., ::4] = 0
    status, said, files = trained(written(tmp_path, run), tmp_path, capsys)
    assert (status, files) == (2, [])
    assert "has no 10 frames of one kind. Found: " in said and "frames 0, 4 and 8 are unlike the others (blank)" in said
    assert "use a network of single volumes (--frames 1)" in said and "Traceback" not in said


def test_training_on_a_run_that_was_smoothed_before_or_has_no_repetition_time_says_so(eagerly, tmp_path, capsys, run):
    smooth = np.stack([ndimage.gaussian_filter(run[..., t], 1.2) for t in range(FRAMES)], axis=-1)
    status, said, files = trained(written(tmp_path, smooth, 0.0), tmp_path, capsys)
    assert (status, files) == (0, ["network.csv", "network.h5", "network.png"]), said
    assert "bold.nii.gz: was smoothed or resampled before" in said and "no repetition time in its header; 2 s are assumed" in said


def test_a_run_of_nine_frames_trains_the_network_of_single_volumes(eagerly, tmp_path, capsys, run):
    status, said, files = trained(written(tmp_path, np.ascontiguousarray(run[..., :9])), tmp_path, capsys)
    assert (status, files) == (0, ["network.csv", "network.h5", "network.png"]), said
    assert "1 frame(s)" in said
    assert checkpoints.load(tmp_path / "out" / "network.h5", "wgan").network.input_shape[-1] == 1


def test_a_start_of_other_layers_leaves_no_file(eagerly, network, tmp_path, capsys, run):
    status, said, files = trained(written(tmp_path, run), tmp_path, capsys, "--initial", network, "--filters", "2", "3")
    assert (status, files) == (2, [])
    assert "has other layers than --filters and --depths name (5 channels). Use --initial none" in said


def test_a_start_that_is_no_network_of_runs_leaves_no_file(eagerly, tmp_path, capsys, run):
    from keras_mri.networks.residual_unet import residual_unet
    from keras_mri.systems.network_files import checkpoint_for
    from keras_mri.systems.wgan.settings import Config

    checkpoints.save(checkpoint_for(residual_unet((None, None, None, 1), (2, 2), (1, 1)), "wgan", Config()), tmp_path / "single.h5")
    status, said, files = trained(written(tmp_path, run), tmp_path, capsys, "--initial", str(tmp_path / "single.h5"))
    assert (status, files) == (2, []) and "has other layers" in said
