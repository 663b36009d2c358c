import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.systems.sr.data import pair_data, turning_plane
from keras_mri.systems.sr.pairs import Pair, PairSplit, simulated_pair
from keras_mri.systems.sr.settings import PRESETS, Config

SIMULATE = (2.0, 2.0, 1.0)
PLAIN = dict(simulate=SIMULATE, mirror_training="none", turns=False, gain=0.0, jitter=0.0, noise=0.0)


def pair(shape=(24, 22, 20), seed=0, zooms=(2.0, 2.0, 2.0)):
    target = Volume.from_array(phantoms.head(shape, seed)[0], phantoms.oblique_affine(zooms), name=f"scan{seed}")
    return simulated_pair(target, SIMULATE, f"sub-{seed}")


def parts(count=3, **options):
    pairs = [pair(seed=k, **options) for k in range(count)]
    return PairSplit(pairs[:-2], pairs[-2:-1], pairs[-1:])


def counted_pair(seed, affine):
    """A pair in which every voxel has a value of its own, the same in source and target."""
    values = np.random.default_rng(seed).permutation(24 * 22 * 20).reshape(24, 22, 20).astype(np.float32)
    volume = Volume.from_array(values, affine)
    mask = np.zeros(values.shape, np.float32)
    mask[2:22, 2:20, 3:17] = 1
    return Pair(f"sub-{seed}", volume, volume, mask=Volume.from_array(mask, affine))


def test_batches_have_the_shapes_of_the_configuration():
    data = pair_data(parts(), Config(batch_size=3, patch_shape=(16, 8, 8), simulate=SIMULATE), factor=8)
    source, target = next(iter(data.training))
    assert source.shape == target.shape == (3, 16, 8, 8, 1)
    assert data.steps == 100 and data.patch_shape == (16, 8, 8)
    source, target = next(iter(data.validation))
    assert source.shape == target.shape == (3, 16, 8, 8, 1)


def test_source_and_target_come_from_one_place_through_every_movement(affine):
    """Source and target are equal here: so they must stay, whatever both go through."""
    split = PairSplit([counted_pair(0, np.diag([2, 2, 2, 1]))], [counted_pair(1, affine)], [])
    config = Config(**{**PLAIN, "simulate": None, "mirror_training": "all", "turns": True, "affine": 0.5}, patch_shape=(8, 8, 8))
    for source, target in pair_data(split, config, 8).training.take(20):
        np.testing.assert_array_equal(source, target)


def test_crops_are_new_at_every_step_and_centred_in_the_brain(affine):
    split = PairSplit([counted_pair(0, affine)], [counted_pair(1, affine)], [])
    config = Config(**{**PLAIN, "simulate": None}, patch_shape=(8, 8, 8), batch_size=1)
    values = split.training[0].z_scores()[0][..., 0]
    seen = set()
    for source, _ in pair_data(split, config, 8).training.take(60):
        corner = np.argwhere(values == float(source[0, 0, 0, 0, 0]))[0]
        seen.add(tuple(int(c) for c in corner))
        # Centres (corner + 4) lie in the mask, or as near to it as the volume's sides allow.
        assert (corner + 4 >= (2, 2, 3)).all() and (corner + 4 <= (21, 19, 16)).all()
    assert len(seen) > 50


def test_what_validates_never_trains():
    split = parts(5)
    targets = [p.z_scores()[0][..., 1] for p in split.training]
    held_out = split.validation[0].z_scores()[0][..., 1]
    data = pair_data(split, Config(**PLAIN, patch_shape=(8, 8, 8)), 8)

    def inside(patch, volume):
        return np.isin(patch[3:5, 3:5, 3:5].ravel(), volume).all()

    for _, target in data.training.take(20):
        assert all(any(inside(patch, volume) for volume in targets) for patch in target.numpy()[..., 0])
    for _, target in data.validation:
        assert all(inside(patch, held_out) for patch in target.numpy()[..., 0])


def test_of_a_single_scan_a_slab_is_held_out(affine):
    whole = counted_pair(0, affine)
    split = PairSplit([whole], [], [], slabs=True)
    data = pair_data(split, Config(**{**PLAIN, "simulate": None}, patch_shape=(8, 8, 8)), 8)
    trained = {float(value) for _, target in data.training.take(60) for value in np.unique(target)}
    held_out = {float(value) for _, target in data.validation for value in np.unique(target)}
    assert trained and held_out and not trained & held_out


def test_the_slabs_of_a_scan_and_of_its_coarser_copy_lie_on_one_side_of_one_plane():
    """Every voxel holds its place along the axis that is cut, in voxels of the finer grid."""
    places = np.arange(48, dtype=np.float32)
    fine, coarse = (np.broadcast_to(line[:, None, None], (len(line), 20, 20)) for line in (places, places.reshape(-1, 3).mean(axis=1)))
    scans = []
    for values, zoom in ((fine, 1.0), (coarse, 3.0)):
        mask = np.zeros(values.shape, np.float32)
        mask[len(values) // 8 : -(len(values) // 8), 3:17, 3:17] = 1
        volume, where = (Volume.from_array(data, np.diag([zoom, 1, 1, 1])) for data in (values, mask))
        scans.append(Pair("a", volume, volume, mask=where))
    config = Config(**{**PLAIN, "simulate": None}, patch_shape=(8, 8, 8), batch_size=1)
    data = pair_data(PairSplit(scans, [], [], slabs=True), config, 8)
    scales = [(scan.target.frame(0)[scan.mask.frame(0) > 0].mean(), scan.target.frame(0)[scan.mask.frame(0) > 0].std()) for scan in scans]

    def found(patches):
        """Whether a patch is of the coarse copy, by its step, and the places it holds."""
        for _, target in patches:
            line = target[0, :, 0, 0, 0].numpy()
            steps = [abs(np.diff(line).max() * deviation - step) for (_, deviation), step in zip(scales, (1.0, 3.0))]
            which = int(np.argmin(steps))
            yield which, line * scales[which][1] + scales[which][0]

    trained, held_out = list(found(data.training.take(60))), list(found(data.validation))
    assert {which for which, _ in trained} == {which for which, _ in held_out} == {0, 1}
    assert 0.3 < np.mean([which for which, _ in trained]) < 0.7
    reach = (0.5, 1.5)
    last = max(line.max() + reach[which] for which, line in trained)
    assert all(line.min() - reach[which] > last - 1e-2 for which, line in held_out)


def test_a_margin_beyond_the_reach_of_the_patches_changes_nothing(affine):
    narrow = counted_pair(0, affine)
    found = []
    for margin in (9, 30):
        values, mask = (np.pad(volume.frame(0), margin) for volume in (narrow.source, narrow.mask))
        volume = Volume.from_array(values, affine)
        wide = Pair("sub-0", volume, volume, mask=Volume.from_array(mask, affine))
        data = pair_data(PairSplit([wide], [wide], []), Config(**{**PLAIN, "simulate": None}, patch_shape=(16, 8, 12), batch_size=1), 4)
        found.append([source.numpy() for source, _ in [*data.training.take(20), *data.validation]])
    np.testing.assert_array_equal(*found)


def test_source_and_target_of_simulated_pairs_change_alike():
    split, shape = parts(), dict(patch_shape=(8, 8, 8))
    plain, changed = (next(iter(pair_data(split, Config(**{**PLAIN, "gain": g}, **shape), 8).training)) for g in (0.0, 0.4))
    assert not np.allclose(plain[1], changed[1], atol=1e-3)
    for k in range(2):
        # One straight line takes both images to what they became.
        before, after = (np.stack([part[k] for part in batch]).ravel() for batch in (plain, changed))
        scale, offset = np.polyfit(before, after, 1)
        np.testing.assert_allclose(after, scale * before + offset, atol=1e-3)
        assert 0.6 <= scale <= 1.4 and abs(offset) <= 0.4


def test_patches_are_cut_to_thin_scans():
    data = pair_data(parts(shape=(40, 30, 5)), Config(simulate=SIMULATE), factor=8)
    assert data.patch_shape == (40, 24, 8)
    assert next(iter(data.training))[0].shape == (2, 40, 24, 8, 1)


def test_a_patch_larger_than_the_scan_is_refused():
    with pytest.raises(InputError, match=r"`patch_shape` must lie inside.*\(32, 32, 32\), volume \(24, 22, 20\)"):
        pair_data(parts(), Config(simulate=SIMULATE, patch_shape=(32, 32, 32)), factor=8)


def test_the_published_sampling_is_ten_fixed_patches_of_each_scan():
    config = Config(**{**PRESETS["published"], **PLAIN, "affine": 0.0, "patch_shape": (16, 16, 16)})
    data = pair_data(parts(4), config, factor=16)
    assert data.steps == 2 * 10 // 2
    first, second = ({float(patch.numpy().sum()) for _, target in data.training.skip(n).take(10) for patch in target} for n in (0, 10))
    assert len(first) > 10 and first == second


@pytest.mark.parametrize(
    ("zooms", "simulate", "patch_shape", "plane"),
    [
        ((2, 2, 2), (2.0, 2.0, 1.0), (16, 16, 16), (0, 1)),
        ((2, 2, 2), (2.0, 1.0, 2.0), (16, 16, 16), (0, 2)),
        ((0.8, 0.67, 0.67), (2.0, 2.0, 2.0), (16, 16, 16), (1, 2)),
        ((0.8, 0.67, 0.67), (2.0, 2.0, 1.0), (16, 16, 16), None),
        ((0.7, 0.67, 0.67), (2.0, 2.0, 1.0), (16, 16, 16), (0, 1)),
        ((2, 2, 2), (2.0, 2.0, 1.0), (16, 8, 8), None),
        ((2, 2, 2), None, (8, 16, 16), (1, 2)),
    ],
)
def test_turns_stay_in_a_plane_whose_axes_are_alike(zooms, simulate, patch_shape, plane):
    assert turning_plane(pair(zooms=zooms).zooms, patch_shape, simulate or (1, 1, 1)) == plane
