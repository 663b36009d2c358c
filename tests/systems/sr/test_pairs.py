import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.imaging import phantoms
from keras_mri.io.volumes import Volume
from keras_mri.systems.sr.pair_sources import open_pairs
from keras_mri.systems.sr.pairs import Pair, brain_of, simulated_pair, split_pairs
from keras_mri.systems.sr.settings import Config

SHAPE = (19, 17, 14)


def pair(subject, seed=0, affine=None, simulated=True):
    target = Volume.from_array(phantoms.head(SHAPE, seed)[0], phantoms.oblique_affine() if affine is None else affine, name=subject)
    made = simulated_pair(target, (2.0, 2.0, 1.0), subject)
    return made if simulated else Pair(subject, made.source, made.target)


@pytest.mark.parametrize("policy", ["mask", "volume"])
def test_z_scores_have_mean_0_and_sd_1_where_the_policy_says(bids, policy):
    (pair,) = open_pairs([bids("01")], Config(source_session="1", target_session="2"))
    data, mask = pair.z_scores(policy)
    inside = data[mask] if policy == "mask" else data.reshape(-1, 2)
    assert data.shape == (*SHAPE, 2) and data.dtype == np.float32
    np.testing.assert_allclose(inside.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(inside.std(axis=0), 1, atol=1e-4)


def test_a_simulated_pair_keeps_one_unit(affine):
    data, mask = pair("a").z_scores()
    source, target = (volume.frame(0) for volume in (pair("a").source, pair("a").target))
    mean, deviation = source[mask].mean(), source[mask].std()
    np.testing.assert_allclose(data[..., 1], (target - mean) / deviation, atol=1e-4)


def test_zeros_around_the_scan_change_nothing(affine):
    data = phantoms.head((24, 22, 20), seed=2)[0]
    data = data + np.random.default_rng(0).uniform(1, 5, data.shape).astype(np.float32)
    wide = np.pad(data, ((9, 4), (0, 7), (3, 0)))
    inner = (slice(9, 33), slice(0, 22), slice(3, 23))
    narrow, padded = (
        Pair("a", Volume.from_array(volume, affine), Volume.from_array(2 * volume, affine)).z_scores() for volume in (data, wide)
    )
    np.testing.assert_array_equal(padded[1][inner], narrow[1])
    assert padded[1].sum() == narrow[1].sum()
    np.testing.assert_array_equal(padded[0][inner], narrow[0])


def test_a_factor_that_leaves_nothing_is_refused(write_nifti):
    path = write_nifti(phantoms.head((19, 17, 3))[0])
    with pytest.raises(InputError, match=r"`simulate` 1 1 2 leaves less than two voxels along axis 2 of .*\(19, 17, 3\)"):
        open_pairs([path], Config(simulate=(1, 1, 2)))


def test_no_subject_is_in_two_parts_and_the_order_of_the_files_decides_nothing(rng):
    pairs = [pair(f"sub-{k:02d}", seed=k) for k in range(10)] + [pair(f"sub-{k:02d}", seed=50 + k) for k in (1, 4, 7)]
    parts = split_pairs(pairs, seed=3)
    named = [{p.subject for p in part} for part in parts[:3]]
    assert [len(part) for part in named] == [6, 2, 2] and len(set.union(*named)) == 10
    assert sum(len(part) for part in parts[:3]) == 13
    for _ in range(5):
        shuffled = [pairs[k] for k in rng.permutation(len(pairs))]
        assert [{p.subject for p in part} for part in split_pairs(shuffled, seed=3)[:3]] == named
    assert parts.table().splitlines()[0] == "subject\tpart" and len(parts.table().splitlines()) == 11
    assert f"{sorted(named[2])[0]}\ttest" in parts.table()


def test_measured_pairs_of_two_subjects_are_too_few_and_simulated_ones_give_slabs():
    with pytest.raises(InputError, match=r"at least 3 subjects. Received: 2 \(a, b\).*`simulate`"):
        split_pairs([pair("a", simulated=False), pair("b", 1, simulated=False)], seed=0)
    parts = split_pairs([pair("a"), pair("b", 1)], seed=0)
    assert parts.slabs and len(parts.training) == 2 and not parts.test
    assert parts.table() == "subject\tpart\n" + "".join(f"{name}\ttraining, with a slab of it for validation\n" for name in "ab")


def test_a_scan_without_a_brain_is_named(affine):
    speck = np.zeros((30, 30, 30), np.float32)
    speck[3, 4, 5] = 1
    with pytest.raises(InputError, match="no brain was found in speck.nii. Give its mask: with `mask` to predict, in a column mask"):
        brain_of(Volume.from_array(speck, affine, name="speck.nii"))
