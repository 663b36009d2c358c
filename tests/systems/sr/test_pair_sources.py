import nibabel
import numpy as np
import pytest

from keras_mri.errors import GridMismatchError, InputError, remarks_kept
from keras_mri.imaging import phantoms
from keras_mri.imaging.kspace import resampled, truncated
from keras_mri.systems.sr.pair_sources import open_pairs, read_table
from keras_mri.systems.sr.pairs import split_pairs
from keras_mri.systems.sr.settings import Config

SHAPE = (19, 17, 14)


def table(tmp_path, *rows, header="subject\tsource\ttarget"):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join([header, *("\t".join(row) for row in rows), ""]))
    return str(path)


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


def test_grids_that_differ_are_refused_with_the_remedy_or_resampled(bids, tmp_path, write_nifti, affine):
    bids("01")
    shifted = affine.copy()
    shifted[:3, 3] += affine[:3, 2]  # one slice
    source = phantoms.head(SHAPE, seed=1)[0]
    write_nifti(source, "shifted.nii.gz", affine=shifted)
    path = table(tmp_path, ("a", "shifted.nii.gz", "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"))
    with pytest.raises(GridMismatchError, match=r"source and target of a must lie on one grid(.|\n)*shifted.nii.gz(.|\n)*`resample`"):
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


def pairs_of(*subjects, names=None):
    names = names or [f"{number}_T1w.nii" for number, _ in enumerate(subjects)]
    return [(subject, f"low/{name}", f"high/{name}") for subject, name in zip(subjects, names)]


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (("CON-01", "PAT-01", "CON-1"), ["CON-01", "PAT-01", "CON-1"]),
        (("01", "1", "001"), ["01", "1", "001"]),
        (("01", "sub-01", "sub-02"), ["sub-01", "sub-01", "sub-02"]),
        (("01 ", " 01", "02"), ["01", "01", "02"]),
    ],
)
def test_subjects_of_a_table_are_whole_labels(tmp_path, subjects, expected):
    assert [row["subject"] for row in read_table(table(tmp_path, *pairs_of(*subjects)))] == expected


@pytest.mark.parametrize(
    ("subjects", "names", "said"),
    [
        (
            ("a", "b"),
            ("sub-07_T1w.nii", "sub-07_run-2_T1w.nii"),
            ["a and b both have scans of sub-07, by their file names; the table is followed"],
        ),
        (("a", "a"), ("sub-07_T1w.nii", "sub-07_run-2_T1w.nii"), []),
        (("a", "b"), ("sub-CON-01_T1w.nii", "sub-CON-02_T1w.nii"), []),
        (("a", "b"), ("T1w.nii", "T1w.nii"), []),
    ],
)
def test_one_person_under_two_names_is_remarked_on(tmp_path, subjects, names, said):
    with remarks_kept() as remarks:
        read_table(table(tmp_path, *pairs_of(*subjects, names=names)))
    assert remarks == [f"pairs.tsv: {text}" for text in said]


def test_a_pair_of_two_people_is_remarked_on(tmp_path):
    with remarks_kept() as remarks:
        read_table(table(tmp_path, ("a", "sub-01_T1w.nii", "sub-02_T1w.nii"), ("b", "sub-03_T1w.nii", "T1w.nii")))
    assert remarks == ["pairs.tsv: row 1 pairs scans of sub-01 and sub-02, by their file names; the table is followed"]


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no.tsv is not a file. Expected a table of pairs, tab-separated: subject, source, target"):
        read_table(tmp_path / "no.tsv")


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ([], {}, "Received: no images"),
        (["{scan}"], {}, "it is not clear which scans are source and target"),
        (["{folder}"], {}, "`source_session` 1 `target_session` 2"),
        (["{folder}"], dict(simulate=(2, 2, 1)), "not clear"),
        (["{scan}"], dict(source_session="1", target_session="2"), "not clear"),
        (["{scan}"], dict(pairs="pairs.tsv"), "`pairs` names all scans. Received also: .*scan.nii.gz"),
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


def test_a_file_that_fails_stops_everything_instead_of_moving_the_others(bids, tmp_path):
    root = bids("01", "02", "03", "04")
    (root / "sub-02/ses-2/anat/sub-02_ses-2_T1w.nii.gz").write_bytes(b"broken")
    with pytest.raises(InputError, match="sub-02_ses-2_T1w.nii.gz cannot be read"):
        open_pairs([root], Config(source_session="1", target_session="2"))


def test_images_in_memory_are_subjects_of_their_own(affine):
    images = [nibabel.Nifti1Image(phantoms.head((19, 17, 13), seed)[0], affine) for seed in (1, 2)]
    pairs = open_pairs(images, Config(simulate=(2.0, 1.0, 1.0), coarser=(1.0,)))
    assert [pair.subject for pair in pairs] == ["image 1", "image 2"]
