"""The description that keras-mri info prints, and the files it refuses."""

import json
import re

import h5py
import numpy as np
import pytest

from keras_mri import info
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints
from keras_mri.saving.checkpoints import Checkpoint
from keras_mri.systems.network_files import checkpoint_for
from keras_mri.systems.wgan.settings import Config


@pytest.fixture
def network():
    return residual_unet((None, None, None, 3), (2, 3), (1, 1))


@pytest.fixture
def path(network, tmp_path):
    path = tmp_path / "wgan_epi.h5"
    training = {"zooms": [[3.0, 3.0, 3.3], [2.0, 2.2, 2.0]], "sigma": [0.0, 0.2]}
    checkpoints.save(checkpoint_for(network, "wgan", Config(filters=(2, 3), seed=7), training), path)
    return path


def test_the_text_gives_system_settings_training_and_parameters(path, network, capsys):
    assert info.main([str(path)]) == 0
    text = capsys.readouterr().out
    lines = dict(line.split(maxsplit=1) for line in text.splitlines() if len(line.split(maxsplit=1)) == 2)
    assert lines["system"].startswith("wgan: denoise fMRI")
    assert lines["network"] == f"residual_unet, {network.count_params():,} parameters, input (any, any, any, 3)"
    assert re.search("^noise in training +SD 0 to 0.2 in network units$", text, re.MULTILINE)
    assert (lines["seed"], lines["filters"], lines["time_budget"]) == ("7", "2 3", "none")
    assert lines["card"] == "none beside the file"


def test_voxels_and_card_are_given(path, capsys):
    path.with_suffix(".md").write_text("card")
    assert info.main([str(path)]) == 0
    text = capsys.readouterr().out
    assert "2 × 2 × 2.2 to 3 × 3 × 3.3 mm, of 2 scan(s)" in text
    assert str(path.with_suffix(".md")) in text


def test_json_holds_the_same(path, network, capsys):
    assert info.main([str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["network"] == {"name": "residual_unet", "input_shape": [None, None, None, 3], "parameters": network.count_params()}
    assert (facts["system"], facts["config"]["seed"], facts["training"]["sigma"], facts["card"]) == ("wgan", 7, [0.0, 0.2], None)


def test_a_file_with_little_information_is_described_all_the_same(network, tmp_path, capsys):
    checkpoints.save(Checkpoint(network, "later", {}, {}), tmp_path / "network.h5")
    assert info.main([str(tmp_path / "network.h5")]) == 0
    text = capsys.readouterr().out
    assert "later (unknown to this version)" in text and text.count("not recorded") == 2


def test_pre_trained_networks_have_names(capsys):
    assert info.main(["n2a_t1w"]) == 0
    text = capsys.readouterr().out
    assert "582,913 parameters" in text and "n2a_t1w.md" in text
    assert info.main(["n2a_t1x"]) == 2
    assert "Did you mean 'n2a_t1w'?" in capsys.readouterr().err


def test_files_of_others_are_refused_as_everywhere(network, tmp_path, capsys):
    network.save(tmp_path / "foreign.h5")
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["kernel"] = np.zeros(3)
    for name, message in {
        "foreign.h5": "was not written by keras_mri",
        "text.h5": "is not an HDF5 file",
        "weights.h5": "holds no network",
        "missing.h5": "missing.h5 is not a file",
        "scan.nii.gz": "must end in .h5",
    }.items():
        capsys.readouterr()
        assert info.main([str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert message in captured.err and captured.out == ""


CARD = """# `x.h5`: a denoiser of **knees**

```
python -m something
```

| | |
|---|---|
| network | `x` |
| trained on | forty knees, [see there](../experiments/README.md), one scanner |
| licence | CC0 |

**Results.**

| trained on | licence |
| a table | of another kind |
"""


def rows_of(text):
    return {line[:20].strip(): line[20:].strip() for line in text.splitlines() if line[:1].strip()}


def test_the_card_says_in_plain_words_what_the_network_is(path, network, capsys):
    path.with_suffix(".md").write_text(CARD)
    assert info.main([str(path)]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["purpose"] == "a denoiser of knees"
    assert rows["trained on"] == "forty knees, see there, one scanner"
    assert rows["licence"] == "CC0"
    assert rows["takes"] == "a run, 3 neighbouring frames at a time, of any size"
    assert rows["size"] == f"{path.stat().st_size / 1e6:.1f} MB, {network.count_params():,} parameters"
    assert info.describe(path)["about"]["trained on"] == "forty knees, see there, one scanner"


def test_without_a_card_the_purpose_is_that_of_the_system(path, capsys):
    info.main([str(path)])
    rows = rows_of(capsys.readouterr().out)
    assert rows["purpose"] == "denoise fMRI" and "licence" not in rows


@pytest.mark.parametrize(
    ("name", "takes"),
    [
        ("t1w", "a volume, or a run frame by frame, of any size"),
        ("run", "a run of 10 frames or more, of any size; frames are denoised together"),
        ("n2a_t1w", "two or more repetitions of a scan on one grid, 3D or 4D, any size"),
        ("ldm_epi", "volumes or runs on any grid"),
        ("ldm_heads", "volumes or runs on its own grid, 80 × 80 × 35 voxels"),
    ],
)
def test_the_pre_trained_networks_say_what_they_take_and_may_be_used_for(name, takes, capsys):
    assert info.main([name]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["takes"] == takes
    assert len(rows["purpose"]) > 20 and len(rows["trained on"]) > 60
    assert rows["licence"].startswith("Apache-2.0")


def test_remarks_of_the_training_are_listed(network, tmp_path, capsys):
    remarks = ["scan.nii.gz: 3 voxels lie far out", "scan.nii.gz: no repetition time"]
    checkpoints.save(checkpoint_for(network, "wgan", Config(filters=(2, 3)), {"remarks": remarks}), tmp_path / "network.h5")
    assert info.main([str(tmp_path / "network.h5")]) == 0
    assert "remarks in training\n  scan.nii.gz: 3 voxels lie far out\n  scan.nii.gz: no repetition time\n" in capsys.readouterr().out
    assert info.describe(tmp_path / "network.h5")["remarks"] == remarks
    checkpoints.save(checkpoint_for(network, "wgan", Config(filters=(2, 3)), {"remarks": "damaged"}), tmp_path / "damaged.h5")
    assert info.describe(tmp_path / "damaged.h5")["remarks"] == []


@pytest.mark.parametrize("shape", [[], [None, 1], [None, None, None, "1"], [None, None, None, None]])
@pytest.mark.parametrize(
    "inference", [None, [], {"grid": 3, "axis": []}, {"grid": {"shape": 4}}, {"slices": {"spacing": 4}}, {"slices": 1}]
)
def test_an_input_that_no_network_of_ours_has_is_described_as_it_is(shape, inference):
    facts = {"network": {"input_shape": shape}, "inference": inference, "system": "ldm"}
    assert info._input_in_words(facts).startswith("an array of shape (")
    facts["network"]["input_shape"] = [None, None, None, 1]
    assert info._input_in_words(facts) == "a volume, or a run frame by frame, of any size"
    facts["inference"] = {"slices": {"voxel": [0.8, 1.2], "spacing": [1.3, 6.6]}}
    expected = "a volume, or a run frame by frame, of any size, with slices 1.3 to 6.6 mm apart, which become finer voxels"
    assert info._input_in_words(facts) == expected
