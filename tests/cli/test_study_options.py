import pytest

from keras_mri.cli import study_options
from keras_mri.errors import InputError
from keras_mri.systems.ldm.settings import PredictConfig as LdmOptions
from keras_mri.systems.wgan.settings import PredictConfig


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder with a study, bids."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bids" / "sub-01").mkdir(parents=True)
    return tmp_path


def read(line):
    line = study_options.read(line.split())
    return line, study_options.parser(line.options).parse_all(line.arguments) if line.is_study else None


@pytest.mark.parametrize(
    "line",
    [
        "epi bids out participant --participant-label 01 CON-02 --dry-run",
        "bids out participant --model epi --dry-run --participant-label 01 CON-02",
        "--model=epi --dry-run bids out participant --participant_label sub-01 sub-CON-02",
        "--participant-label 01 CON-02 epi bids out participant --dry-run",
        "--participant_label 01 CON-02 --dry_run bids out participant --model epi",
        "--dry-run epi --participant-label 01 CON-02 bids out participant",
        "epi bids --participant-label 01 CON-02 out participant --dry-run",
        "epi bids out --participant-label 01 CON-02 participant --dry-run",
        "epi bids out --dry-run --participant-label 01 --participant-label CON-02",
        "--participant-label 01,CON-02 epi bids out --dry-run",
        "--participant-label=01 --participant-label CON-02 --dry-run -- epi bids out participant",
    ],
)
def test_a_study_is_named_in_any_order_and_spelling(here, line):
    read_line, parsed = read(line)
    assert read_line.is_study and read_line.options is PredictConfig
    assert (parsed.model, str(parsed.study), str(parsed.derivatives)) == ("epi", "bids", "out") and parsed.dry_run
    assert study_options.choice_of(parsed).of("sub") == ["01", "CON-02"]


def test_the_level_decides_even_where_the_folder_is_missing(here):
    assert read("epi bidz out participant")[0].is_study
    assert read("epi bidz out --task rest")[0].is_study


@pytest.mark.parametrize(
    "line",
    [
        "epi bold.nii.gz -o out.nii.gz",
        "bold.nii.gz -o out.nii.gz --model epi",
        "epi bids -o out.nii.gz",
        "--report bids epi bold.nii.gz -o out.nii.gz",
        "epi bold.nii.gz -o out.nii.gz --report r.html --residual bids",
    ],
)
def test_one_scan_is_no_study(here, line):
    assert not read(line)[0].is_study


def test_task_is_the_system_s_own_option_where_it_has_one(here):
    line, parsed = read("ldm_epi bids out participant --task super-resolution --task-label rest --run 01")
    assert line.options is LdmOptions and parsed.task == "super-resolution"
    assert study_options.choice_of(parsed).labels == {"task": ["rest"], "run": ["01"], "acq": []}
    assert not read("ldm_epi --task super-resolution bold.nii.gz -o out.nii.gz")[0].is_study


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bids out participant", r"a study needs a network, .*: MODEL BIDS_DIR OUTPUT_DIR participant, or BIDS_DIR .*Received: bids out"),
        ("bids out", "a study needs a network"),
        ("epi bids participant", "a study needs a network, a BIDS folder and a folder for its derivatives"),
        ("epi bids", "a study needs a network"),
        ("bids participant --model epi", r"Received: bids participant --model epi\."),
        ("epi bids out participant -o x.nii.gz", "-o/--output names the result of one scan"),
        ("epi bids out participant --report page.html", "--report of a study takes no file"),
        ("epi bids out participant --report=page.html", "--report of a study takes no file"),
        ("epi bids out participant --model t1w", "named twice, epi and --model t1w"),
        ("epi t1w bids out participant", "one network, one BIDS folder and one folder"),
        ("epi bids out group", "invalid choice: 'group'"),
        ("epi bids out participant --participant-label", "--participant-label: expected at least one argument"),
        ("epi bids out participant --tsk rest", "unknown option --tsk. Did you mean --task?"),
    ],
)
def test_what_was_expected_is_said(here, line, message):
    with pytest.raises(InputError, match=message):
        read(line)


@pytest.mark.parametrize("label", ["sub-", ",", " "])
def test_a_label_is_never_empty(here, label):
    _, parsed = read("epi bids out participant")
    parsed.participant_label = [label]
    with pytest.raises(InputError, match="`participant_label` needs a label, such as sub-01"):
        study_options.choice_of(parsed)
