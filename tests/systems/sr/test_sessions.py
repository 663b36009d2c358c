import pytest

from keras_mri.errors import InputError
from keras_mri.systems.sr.sessions import session_pairs


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes a BIDS folder from the names of its files."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def files(*subjects, sessions=(1, 2), modality="T1w"):
    return [f"sub-{s}/ses-{k}/anat/sub-{s}_ses-{k}_{modality}.nii.gz" for s in subjects for k in sessions]


def test_each_subject_gives_its_two_scans_in_order_of_subject(folder):
    root = folder(*files("02", "01"), *files("02", "01", modality="T2w"), "derivatives/sub-09/x.nii.gz", "participants.tsv")
    first, second = session_pairs(root, "1", "2", "T1w")
    assert (first.subject, second.subject) == ("sub-01", "sub-02")
    assert first.source == root / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    assert first.target == root / "sub-01/ses-2/anat/sub-01_ses-2_T1w.nii.gz"


def test_other_entities_uncompressed_files_and_sessions_without_anat_are_found(folder):
    root = folder("sub-01/ses-3T/sub-01_ses-3T_acq-mprage_T1w.nii", "sub-01/ses-7T/anat/sub-01_ses-7T_run-1_T1w.nii.gz")
    (pair,) = session_pairs(root, "ses-3T", "7T", "T1w")
    assert pair.source.name.endswith("mprage_T1w.nii") and pair.target.name.endswith("run-1_T1w.nii.gz")


def test_subjects_without_a_partner_are_listed(folder):
    root = folder(*files("01", "04"), *files("02", sessions=(1,)), *files("03", sessions=(2,)))
    with pytest.raises(InputError, match=r"Missing: sub-02 \(no ses-2\), sub-03 \(no ses-1\)\. Leave .*`skip_incomplete`"):
        session_pairs(root, "1", "2", "T1w")
    assert [pair.subject for pair in session_pairs(root, "1", "2", "T1w", skip_incomplete=True)] == ["sub-01", "sub-04"]


def test_when_no_subject_is_complete_there_is_nothing_to_skip_to(folder):
    root = folder(*files("02", sessions=(1,)), *files("03", sessions=(2,)))
    with pytest.raises(InputError, match=r"Missing: sub-02 \(no ses-2\), sub-03 \(no ses-1\)"):
        session_pairs(root, "1", "2", "T1w", skip_incomplete=True)


@pytest.mark.parametrize(
    ("names", "sessions", "message"),
    [
        ([], ("1", "2"), "holds no folders sub-*"),
        (files("01"), ("1", "7T"), "has a folder ses-7T. Found: ses-1, ses-2. Choose with `source_session` and `target_session`"),
        (["sub-01/anat/sub-01_T1w.nii.gz"], ("1", "2"), "a folder ses-1 or ses-2. Found: no sessions"),
        (files("01", modality="T2w"), ("1", "2"), "no T1w image in ses-1 or ses-2 of any subject"),
        (files("01", modality="T2w"), ("1", "2"), "Found: T2w. Choose with `modality`"),
        ([*files("01"), "sub-01/ses-1/anat/sub-01_ses-1_run-2_T1w.nii.gz"], ("1", "2"), "holds 2 T1w images: .*run-2_T1w.*`pairs`"),
    ],
)
def test_folders_that_do_not_fit_are_refused_with_what_there_is(folder, names, sessions, message):
    with pytest.raises(InputError, match=message):
        session_pairs(folder(*names), *sessions, "T1w")


def test_labels_with_hyphens_are_whole_and_a_phase_is_no_second_scan(folder):
    phase = "sub-PAT-01/ses-1/anat/sub-PAT-01_ses-1_part-phase_T1w.nii.gz"
    pairs = session_pairs(folder(*files("CON-01", "PAT-01", sessions=("1", "2-b")), phase), "1", "ses-2-b", "T1w")
    assert [pair.subject for pair in pairs] == ["sub-CON-01", "sub-PAT-01"]
    assert [pair.target.parts[-3] for pair in pairs] == ["ses-2-b"] * 2
