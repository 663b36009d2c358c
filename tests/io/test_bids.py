import pytest

from keras_mri.errors import InputError
from keras_mri.io.bids import session_pairs, study_scans, subject_of


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


@pytest.mark.parametrize(
    ("path", "subject"),
    [
        ("data/sub-07/ses-1/anat/sub-07_ses-1_T1w.nii.gz", "sub-07"),
        ("sub-07_copy.nii.gz", "sub-07"),
        ("a/T1w.nii.gz", "a/T1w.nii.gz"),
        ("b/T1w.nii.gz", "b/T1w.nii.gz"),
    ],
)
def test_the_subject_of_a_path_is_its_label_or_the_path(path, subject):
    assert subject_of(path) == subject


# --- scans of a study --------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path):
    names = (
        "sub-02/ses-a/func/sub-02_ses-a_task-rest_bold.nii.gz",
        "sub-02/ses-b/func/sub-02_ses-b_task-rest_bold.nii.gz",
        "sub-01/func/sub-01_task-rest_run-1_bold.nii.gz",
        "sub-01/func/sub-01_task-rest_run-2_bold.nii",
        "sub-01/anat/sub-01_T1w.nii.gz",
        "derivatives/sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-01/other/sub-01_task-rest_bold.nii.gz",
    )
    for name in names:
        path = tmp_path / "study" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "study"


def names(scans):
    return [path.name.split("_task")[0] + path.name.partition("run")[2][:2] for path in scans]


def test_all_scans_of_a_modality_are_found_with_and_without_sessions(study):
    assert names(study_scans(study, "bold")) == ["sub-01-1", "sub-01-2", "sub-02_ses-a", "sub-02_ses-b"]
    assert [path.name for path in study_scans(study, "T1w")] == ["sub-01_T1w.nii.gz"]


def test_participants_and_sessions_are_chosen_by_label(study):
    assert names(study_scans(study, "bold", ["sub-02"])) == names(study_scans(study, "bold", ["02"])) == ["sub-02_ses-a", "sub-02_ses-b"]
    assert (
        names(study_scans(study, "bold", session_label=["ses-b"])) == names(study_scans(study, "bold", ["02"], ["b"])) == ["sub-02_ses-b"]
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (dict(modality="T2w"), r"no T2w image in the chosen part of .*\. Found: T1w, bold\. Choose with `modality`"),
        (dict(modality="bold", participant_label=["02", "07"]), r"has no sub-07\. Found: 01, 02\. Choose with `participant_label`"),
        (dict(modality="bold", session_label=["c"]), r"no subject of .* has the session\(s\) c\. Choose with `session_label`"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(study, choice, message):
    with pytest.raises(InputError, match=message):
        study_scans(study, **choice)


def test_a_folder_without_subjects_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no folders sub-\*\. Expected a BIDS folder"):
        study_scans(tmp_path, "bold", ["01"])
