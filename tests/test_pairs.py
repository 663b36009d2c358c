import numpy as np
import pytest

from keras_mri import phantoms
from keras_mri.errors import GridMismatchError, InputError
from keras_mri.kspace import resampled, truncated
from keras_mri.pairs import Pair, brain_of, open_pairs, read_table, simulated_pair, split_pairs
from keras_mri.settings.sr import Config
from keras_mri.volumes import Volume

SHAPE = (19, 17, 14)


@pytest.fixture
def bids(tmp_path, write_nifti):
    """Return a function that makes a folder of subjects with two sessions each, in any order of writing."""

    def make(*subjects):
        for name in subjects:
            for session in (1, 2):
                folder = tmp_path / f"sub-{name}" / f"ses-{session}" / "anat"
                folder.mkdir(parents=True)
                data = phantoms.head(SHAPE, seed=int(name))[0] * (1 if session == 1 else 2.5) + session
                write_nifti(data, folder / f"sub-{name}_ses-{session}_T1w.nii.gz")
        return tmp_path

    return make


def table(tmp_path, *rows, header="subject\tsource\ttarget"):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join([header, *("\t".join(row) for row in rows), ""]))
    return str(path)


def pair(subject, seed=0, affine=None, simulated=True):
    target = Volume.from_array(phantoms.head(SHAPE, seed)[0], phantoms.oblique_affine() if affine is None else affine, name=subject)
    made = simulated_pair(target, (2.0, 2.0, 1.0), subject)
    return made if simulated else Pair(subject, made.source, made.target)


def test_a_bids_folder_gives_source_and_target_of_every_subject(bids):
    pairs = open_pairs([bids("02", "01")], Config(source_session="1", target_session="2"))
    assert [pair.subject for pair in pairs] == ["sub-01", "sub-02"]
    assert "ses-1" in pairs[0].source.name and "ses-2" in pairs[0].target.name and not pairs[0].simulated
    np.testing.assert_allclose(pairs[0].zooms, (2, 2.5, 3))


def test_a_table_names_pairs_relative_to_itself(bids, tmp_path, write_nifti):
    bids("01")
    mask = write_nifti(phantoms.head(SHAPE, seed=1)[1].astype(np.uint8), "mask.nii.gz")
    path = table(
        tmp_path,
        ("a", "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz", "3", "mask.nii.gz"),
        header="subject\tsource\ttarget\tage\tmask",
    )
    (only,) = open_pairs([], Config(pairs=path))
    assert only.subject == "a" and only.source.name == str(tmp_path / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz")
    np.testing.assert_array_equal(only.z_scores()[1], phantoms.head(SHAPE, seed=1)[1])
    assert mask.is_file()


def test_images_alone_get_sources_by_truncation(write_nifti):
    data = phantoms.head(SHAPE)[0]
    paths = [write_nifti(data, "sub-03_T1w.nii.gz"), write_nifti(data + 1, "other.nii.gz")]
    first, second = open_pairs(paths, Config(simulate=(2, 1, 1.5)))
    np.testing.assert_allclose(first.source.frame(0), truncated(data, (2, 1, 1.5)), rtol=1e-5)
    assert first.simulated and first.subject == "sub-03" and second.subject.endswith("other.nii.gz")


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


def test_grids_that_differ_are_refused_with_the_remedy_or_resampled(bids, tmp_path, write_nifti, affine):
    bids("01")
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, 2]  # one slice
    source = phantoms.head(SHAPE, seed=1)[0]
    write_nifti(source, "shifted.nii.gz", affine=shifted)
    path = table(tmp_path, ("a", "shifted.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"))
    with pytest.raises(GridMismatchError, match=r"source and target of a must lie on one grid(.|\n)*shifted.nii.gz(.|\n)*--resample"):
        open_pairs([], Config(pairs=path))
    (pair,) = open_pairs([], Config(pairs=path, resample=True))
    assert pair.source.shape == SHAPE and np.array_equal(pair.source.affine, pair.target.affine)
    np.testing.assert_allclose(pair.source.frame(0)[..., 1:], source[..., :-1], atol=0.5)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([("a", "x.nii", "y.nii")], "subject\tinput\ttarget", r"lacks the column\(s\) source. .*Received: subject, input, target"),
        ([("a", "x.nii", "")], "subject\tsource\ttarget", "row 1 of .* has no target"),
        ([], "subject\tsource\ttarget", "names no pairs"),
        ([("a", "nowhere.nii", "y.nii")], "subject\tsource\ttarget", "nowhere.nii is not a file"),
        ([("a,b",)], "", "an empty file"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, rows, header, message):
    with pytest.raises(InputError, match=message):
        open_pairs([], Config(pairs=table(tmp_path, *rows, header=header)))


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no.tsv is not a file. Expected a table of pairs, tab-separated: subject, source, target"):
        read_table(tmp_path / "no.tsv")


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "Received: no images"),
        (["{scan}"], {}, "it is not clear which scans are source and target"),
        (["{folder}"], {}, "--source-session 1 --target-session 2"),
        (["{folder}"], dict(simulate=(2, 2, 1)), "not clear"),
        (["{scan}"], dict(source_session="1", target_session="2"), "not clear"),
        (["{scan}"], dict(pairs="pairs.tsv"), "--pairs names all scans. Received also: .*scan.nii.gz"),
    ],
)
def test_when_it_is_not_clear_what_is_meant_the_three_ways_are_shown(write_nifti, tmp_path, images, options, message):
    scan = write_nifti(phantoms.head(SHAPE)[0])
    with pytest.raises(InputError, match=message):
        open_pairs([image.format(scan=scan, folder=tmp_path) for image in images], Config(**options))


def test_a_target_coarser_than_its_source_is_refused(tmp_path, write_nifti, affine):
    write_nifti(phantoms.head(SHAPE)[0], "fine.nii.gz")
    write_nifti(phantoms.head((10, 9, 14))[0], "coarse.nii.gz", affine=affine @ np.diag([2, 2, 1, 1]))
    path = table(tmp_path, ("a", "fine.nii.gz", "coarse.nii.gz"))
    with pytest.raises(InputError, match=r"at least as fine as its source.*coarse.nii.gz with voxels of 4 × 5 × 3 mm.*swapped"):
        open_pairs([], Config(pairs=path, resample=True))


def test_runs_are_no_volumes(write_nifti, rng):
    path = write_nifti(rng.random((9, 8, 7, 3)).astype(np.float32))
    with pytest.raises(InputError, match=r"pairs are 3D volumes. Received: .*scan.nii.gz of shape \(9, 8, 7, 3\)"):
        open_pairs([path], Config(simulate=(2, 2, 1)))


def test_a_factor_that_leaves_nothing_is_refused(write_nifti):
    path = write_nifti(phantoms.head((19, 17, 3))[0])
    with pytest.raises(InputError, match=r"--simulate 1 1 2 leaves less than two voxels along axis 2 of .*\(19, 17, 3\)"):
        open_pairs([path], Config(simulate=(1, 1, 2)))


def test_images_come_with_coarser_copies_over_the_same_field_of_view(write_nifti):
    data = phantoms.head((140, 130, 128), seed=2)[0]
    affine = phantoms.oblique_affine((0.5, 0.7, 0.6))
    path = write_nifti(data, "sub-07_T1w.nii.gz", affine=affine)
    pairs = open_pairs([path], Config(simulate=(2, 2, 1), coarser=(1.0, 1.5, 2.0, 4.0)))
    # Four times coarser is 2.8 mm, and a side of 32 voxels.
    assert [pair.target.shape for pair in pairs] == [(140, 130, 128), (93, 87, 85), (70, 65, 64)]
    assert {pair.subject for pair in pairs} == {"sub-07"} and all(pair.simulated for pair in pairs)
    for pair in pairs[1:]:
        np.testing.assert_allclose(pair.target.frame(0), resampled(data, pair.target.shape), atol=1e-2)
        for corner in np.ndindex(2, 2, 2):
            faces = [np.where(corner, volume.shape, 0) - 0.5 for volume in (pair.target, pairs[0].target)]
            np.testing.assert_allclose(pair.target.affine @ [*faces[0], 1], affine @ [*faces[1], 1])
    parts = split_pairs(pairs, seed=0)
    assert parts.slabs and parts.table() == "subject\tpart\nsub-07\ttraining, with a slab of it for validation\n"
    assert len(open_pairs([path], Config(simulate=(2, 2, 1), coarser=(1.0,)))) == 1


def test_one_scan_under_two_subjects_is_refused(write_nifti):
    data = phantoms.head(SHAPE)[0]
    paths = [write_nifti(data, "sub-01_T1w.nii.gz"), write_nifti(data, "sub-02_T1w.nii")]
    with pytest.raises(InputError, match="sub-02 and sub-01 have the same target: .*sub-02_T1w.nii and .*sub-01_T1w.nii.gz do not differ"):
        open_pairs(paths, Config(simulate=(2, 2, 1)))


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


def test_a_file_that_fails_stops_everything_instead_of_moving_the_others(bids, tmp_path):
    root = bids("01", "02", "03", "04")
    (root / "sub-02/ses-2/anat/sub-02_ses-2_T1w.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match="sub-02_ses-2_T1w.nii.gz cannot be read"):
        open_pairs([root], Config(source_session="1", target_session="2"))


def test_measured_pairs_of_two_subjects_are_too_few_and_simulated_ones_give_slabs():
    with pytest.raises(InputError, match=r"at least 3 subjects. Received: 2 \(a, b\).*--simulate"):
        split_pairs([pair("a", simulated=False), pair("b", 1, simulated=False)], seed=0)
    parts = split_pairs([pair("a"), pair("b", 1)], seed=0)
    assert parts.slabs and len(parts.training) == 2 and not parts.test
    assert parts.table() == "subject\tpart\n" + "".join(f"{name}\ttraining, with a slab of it for validation\n" for name in "ab")


def test_a_scan_without_a_brain_is_named(affine):
    speck = np.zeros((30, 30, 30), np.float32)
    speck[3, 4, 5] = 1
    with pytest.raises(InputError, match="no brain was found in speck.nii. Give its mask: with --mask to predict, in a column `mask`"):
        brain_of(Volume.from_array(speck, affine, name="speck.nii"))
