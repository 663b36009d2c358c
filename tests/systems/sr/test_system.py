import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import finer_affine, resampled, truncated
from keras_mri.imaging.metrics import psnr
from keras_mri.io.volumes import Volume
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.networks.unet3d import unet3d
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.sr import system as sr
from keras_mri.systems.sr.pairs import simulated_pair
from keras_mri.systems.sr.settings import PRESETS, Config, PredictConfig
from tests.systems.contract import check_contract, trained

SIMULATE = (2.0, 2.0, 1.0)
BASE = dict(simulate=SIMULATE, discriminator_filters=2, patch_shape=(12, 12, 12), precision="float32")
UNET3D = dict(generator="unet3d", base_filters=2, levels=2)
SMALL = dict(**BASE, filters=(2, 3, 4), depths=(1, 1, 1))
SHAPE = (19, 17, 14)


@pytest.fixture
def paths(write_nifti):
    return [write_nifti(phantoms.head(SHAPE, seed)[0], f"sub-{seed}_T1w.nii.gz") for seed in range(3)]


def checkpoint(network=None, **values):
    config = Config(**{**SMALL, **values})
    network = network or residual_unet((None, None, None, 1), config.filters, config.depths, with_image=True)
    return checkpoint_for(network, "sr", config)


def shifted(by, **values):
    """A checkpoint whose network adds a constant, in network units."""
    network = unet3d(2, 2, residual=True, normalization="none")
    network.get_layer("residual").set_weights([np.zeros((1, 1, 1, 2, 1)), np.full(1, by / 0.2)])
    return checkpoint(network, **values)


def head(affine, shape=SHAPE, seed=1):
    """A head in a field of view that is nowhere exactly 0."""
    return Volume.from_array(phantoms.head(shape, seed)[0] + 5, affine, name="head")


@pytest.mark.parametrize(
    "settings",
    [
        dict(**SMALL, warm_up=0.5),
        dict(
            **BASE,
            **UNET3D,
            once=True,
            conditional=True,
            adversarial_loss="hinge",
            normalization="instance",
            residual=False,
            warm_up=0.0,
            affine=0.5,
        ),
        dict(**BASE, **UNET3D, once=True, warm_up=0.5),
        dict(**SMALL, once=True, adversarial_weight=0.0, scaling="volume", adversarial_loss="bce", sampling="fixed"),
    ],
)
def test_the_contract(paths, tmp_path, settings):
    _, restored = check_contract("sr", paths, tmp_path, **settings)
    assert restored.extremes[0] >= 0


@pytest.mark.slow
def test_the_contract_of_the_published_preset(tmp_path, write_nifti):
    published = {name: value for name, value in PRESETS["published"].items() if name not in ("epochs", "steps_per_epoch", "batch_size")}
    # The sizes of tests/networks are too slow here; everything else is as published.
    small = dict(base_filters=2, discriminator_filters=2, patch_shape=(32, 32, 32), discriminator_layers=3, simulate=SIMULATE)
    paths = [write_nifti(phantoms.head((36, 34, 33), seed)[0], f"sub-{seed}_T1w.nii.gz") for seed in range(3)]
    check_contract("sr", paths, tmp_path, once=True, **{**published, **small})


def test_an_untrained_network_gives_back_the_scan_in_its_own_unit(affine):
    scan = head(affine)
    restored = sr.predict(checkpoint(), [scan], PredictConfig())
    np.testing.assert_allclose(restored.data, scan.data, rtol=1e-5, atol=1e-2)


def test_the_output_is_in_the_unit_of_the_input(affine):
    """A step of 0.5 in network units is half of the SD that the scan has inside the mask."""
    scan, brain = head(affine), phantoms.head(SHAPE, 1)[1]
    mask = Volume.from_array(brain, affine)
    restored = sr.predict(shifted(0.5), [scan], PredictConfig(mask=mask)).frame(0)
    np.testing.assert_allclose(restored - scan.frame(0), 0.5 * scan.frame(0)[brain].std(), rtol=1e-3)


@pytest.mark.parametrize("shape", [(19, 17, 14), (33, 9, 5), (21, 20, 1), (3, 4, 5)])
def test_every_voxel_comes_from_the_network_in_tiles_as_well(shape, affine):
    """A network that adds a constant: any voxel left out would keep its value."""
    scan = head(affine, shape)
    mask = np.ones(shape, bool)
    mask[0, 0, 0] = False
    options = dict(mask=Volume.from_array(mask, affine))
    whole = sr.predict(shifted(1.0), [scan], PredictConfig(**options)).frame(0)
    tiled = sr.predict(shifted(1.0), [scan], PredictConfig(tile=(8, 8, 8), **options)).frame(0)
    change = scan.frame(0)[mask].std()
    np.testing.assert_allclose(whole - scan.frame(0), change, rtol=1e-3)
    np.testing.assert_allclose(tiled, whole, rtol=1e-4)


def test_zeros_around_the_scan_change_nothing_inside(affine):
    scan = head(affine)
    padded = Volume.from_array(np.pad(scan.frame(0), ((8, 0), (0, 9), (4, 3))), affine)
    narrow, wide = (sr.predict(shifted(0.5), [volume], PredictConfig()).frame(0) for volume in (scan, padded))
    np.testing.assert_allclose(wide[8:, :17, 4:18], narrow, rtol=1e-5)


def test_upsampling_covers_the_same_field_of_view_on_a_finer_grid(affine):
    scan = head(affine)
    restored = sr.predict(checkpoint(), [scan], PredictConfig(upsample=(2, 2, 1)))
    assert restored.shape == (38, 34, 14)
    np.testing.assert_allclose(restored.affine, finer_affine(affine, (2, 2, 1)))
    # Both grids begin and end at the same faces, in the world.
    for corner in np.ndindex(2, 2, 2):
        faces = [np.where(corner, shape, 0) - 0.5 for shape in (scan.shape, restored.shape)]
        np.testing.assert_allclose(restored.affine @ [*faces[1], 1], affine @ [*faces[0], 1])
    np.testing.assert_allclose(restored.frame(0), resampled(scan.frame(0), (38, 34, 14)), rtol=1e-4, atol=1e-2)


def test_a_finer_grid_along_axes_that_training_did_not_coarsen_is_warned_of(affine, caplog):
    sr.predict(checkpoint(), [head(affine)], PredictConfig(upsample=(3, 2, 1)))
    assert "trained on" not in caplog.text
    sr.predict(checkpoint(), [head(affine)], PredictConfig(upsample=(1, 2, 2)))
    assert "trained on scans 2 × 2 × 1 times coarser along their voxel axes, and is asked for 1 × 2 × 2" in caplog.text


def test_a_scan_on_its_own_coarse_grid_becomes_what_training_showed(affine):
    """With odd sides: the coarse grid, up-sampled, is the k-space truncated source of a simulated pair."""
    target = Volume.from_array(phantoms.head((21, 27, 14), 2)[0] + 500, affine)
    source = simulated_pair(target, (3, 3, 1)).source
    coarse = Volume.from_array(resampled(target.frame(0), (7, 9, 14)), affine @ np.diag([3, 3, 1, 1]))
    restored = sr.predict(checkpoint(), [coarse], PredictConfig(upsample=(3, 3, 1)))
    np.testing.assert_allclose(restored.frame(0), source.frame(0), rtol=1e-3, atol=0.1)


def test_negative_values_are_kept_but_not_invented(affine):
    scan = head(affine)
    assert sr.predict(shifted(-50.0), [scan], PredictConfig()).frame(0).min() == 0
    negative = Volume.from_array(scan.frame(0) - 50, affine)
    assert sr.predict(shifted(-50.0), [negative], PredictConfig()).frame(0).min() < -50


def test_one_volume_kept_as_a_run_comes_back_as_one(affine):
    scan = Volume.from_array(head(affine).frame(0)[..., None], affine)
    assert sr.predict(checkpoint(), [scan], PredictConfig()).shape == (*SHAPE, 1)


def test_a_run_is_refused(affine):
    run = Volume.from_array(np.ones((9, 8, 7, 3)), affine, name="run")
    with pytest.raises(InputError, match=r"3D volumes. Received: run of shape \(9, 8, 7, 3\)"):
        sr.predict(checkpoint(), [run], PredictConfig())


def test_a_mask_on_another_grid_is_refused_before_anything_is_computed(affine):
    mask = Volume.from_array(phantoms.head((19, 17, 13))[1], affine, name="mask")
    with pytest.raises(InputError, match="the mask must lie on the grid of the image"):
        sr.predict(checkpoint(), [head(affine)], PredictConfig(mask=mask))


def test_a_patch_that_cannot_be_halved_names_the_nearest(paths):
    for network in (UNET3D, dict(filters=(2, 3, 4), depths=(1, 1, 1))):
        with pytest.raises(InputError, match=r"divisible by 4: .*\(10, 12, 15\). Nearest valid: \(8, 12, 16\)"):
            trained(sr.SYSTEM, paths, Config(**{**BASE, **network, "patch_shape": (10, 12, 15)}))


def test_a_patch_too_small_for_the_discriminator_says_what_to_do(eagerly, paths):
    config = Config(**{**SMALL, "patch_shape": (12, 12, 4)})
    with pytest.raises(InputError, match=r"at least 6 voxels along every side. Received: \(12, 12, 4\).*`adversarial_weight` 0"):
        trained(sr.SYSTEM, paths, config)
    trained(sr.SYSTEM, paths, Config(**{**SMALL, "patch_shape": (12, 12, 4)}, adversarial_weight=0.0, epochs=1, steps_per_epoch=1))


def test_fewer_than_three_scans_hold_out_slabs_and_thin_ones_train(eagerly, write_nifti):
    path = write_nifti(phantoms.head((30, 26, 5))[0] + 5, "thin.nii.gz")
    config = Config(**{**SMALL, "patch_shape": None}, adversarial_weight=0.0, epochs=1, steps_per_epoch=1)
    network = trained(sr.SYSTEM, [path], config)
    parts = sr.prepare([path], config)
    assert parts.slabs and "slab" in sr.outcome(checkpoint(network), parts, config).files["_split.tsv"]
    assert sr.predict(checkpoint(network), [path], PredictConfig()).shape == (30, 26, 5)


def test_the_split_is_written_and_the_example_shows_a_subject_of_the_test(paths):
    config = Config(**SMALL)
    parts = sr.prepare(paths, config)
    table = sr.outcome(checkpoint(), parts, config).files["_split.tsv"]
    assert sorted(line.split("\t")[1] for line in table.splitlines()[1:]) == ["test", "training", "validation"]
    panels = sr.outcome(checkpoint(), parts, config).panels
    assert list(panels) == ["source (test)", "restored", "target"]
    source, restored, target = panels.values()
    assert source.shape == restored.shape == target.shape and target.min() == 0
    np.testing.assert_allclose(restored, source, atol=1e-4)
    assert np.abs(target - source).mean() > 0.01


@pytest.mark.slow
def test_training_sharpens_a_head_it_has_not_seen(affine):
    scans = [Volume.from_array(phantoms.head((40, 36, 32), seed)[0], affine, name=f"sub-{seed}") for seed in range(3)]
    pairs = [simulated_pair(scan, SIMULATE, scan.name) for scan in scans]
    config = Config(
        simulate=SIMULATE, filters=(16, 16, 16), depths=(1, 2, 1), patch_shape=(16, 16, 16), epochs=10, steps_per_epoch=60,
        adversarial_weight=0.0,
    )  # fmt: skip
    network = trained(sr.SYSTEM, pairs, config)
    unseen, brain = phantoms.head((38, 34, 30), seed=9)
    source = truncated(unseen, SIMULATE)
    restored = sr.predict(checkpoint_for(network, "sr", config), [Volume.from_array(source, affine)], PredictConfig()).frame(0)
    assert psnr(unseen, restored, brain) > psnr(unseen, source, brain) + 1
