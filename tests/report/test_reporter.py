"""The page of a result that is being written: before, while and after."""

import types

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io import nifti_reading, nifti_writing
from keras_mri.report.reporter import Prediction, Reporter
from keras_mri.systems.wgan.settings import Config, PredictConfig


@pytest.fixture
def checkpoint():
    network = types.SimpleNamespace(name="residual_unet", count_params=lambda: 12345)
    training = {"zooms": [[3, 3, 3]], "sigma": [0, 0.2]}
    return types.SimpleNamespace(network=network, system="wgan", config=Config().to_json(), training=training)


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"abc")
    (tmp_path / "model.md").write_text("a card")
    return tmp_path / "model.h5"


@pytest.fixture
def scan(write_nifti, rng):
    return write_nifti((1000 * rng.random((9, 8, 7, 4))).astype(np.int16), "s&an.nii.gz")


def reported(scan, out, model, checkpoint, page, messages=(), facts=None):
    """Write half of a scan, and the page."""
    volume = nifti_reading.open_image(scan)
    prediction = Prediction(written=out, dtype="float32", model=model, checkpoint=checkpoint, options=PredictConfig(mirror="left-right"))
    reporter = Reporter([volume], volume.with_frames(lambda t: volume.frame(t) / 2, facts), prediction)
    nifti_writing.save(reporter.watched(), out)
    reporter.write(page, 1.5, messages)
    return page.read_text()


def test_the_page_reports_files_network_options_and_header(scan, model, checkpoint, tmp_path):
    text = reported(scan, tmp_path / "out.nii", model, checkpoint, tmp_path / "page.html", [(30, "warning: look out"), (20, "aside")])
    for part in (
        "<h1>s&amp;an.nii.gz → out.nii</h1>", "12,345 parameters", "3 × 3 × 3 mm", "SD 0 to 0.2", "a card", "<li>look out</li>", "aside",
        "43 of 45 fields are equal</span>, and each change has a reason", "9 × 8 × 7 voxels, 4 frames, 2 × 2.5 × 3 mm",
        # SHA-256 of "abc", FIPS 180-2 appendix B.1.
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "<th>mirror</th><td>left-right</td>", "<th>noise_range</th>",
    ):  # fmt: skip
        assert part in text, part
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.h5", "model.md", "out.nii", "page.html", "s&an.nii.gz"]


@pytest.mark.parametrize(
    ("precision", "row"),
    [
        ({"used": "float32"}, "float32"),
        ({"used": "bfloat16", "difference": 0.0043}, "bfloat16; bfloat16 changes the result by 0.43 % of its noise"),
    ],
)
def test_the_page_tells_the_precision_that_was_used(precision, row, scan, model, checkpoint, tmp_path):
    text = reported(scan, tmp_path / "out.nii", model, checkpoint, tmp_path / "page.html", facts={"precision": precision})
    assert f"<th>precision used</th><td>{row}</td>" in text


def test_a_result_that_takes_its_inputs_place_is_compared_with_what_was_there(scan, model, checkpoint, tmp_path):
    text = reported(scan, scan, model, checkpoint, tmp_path / "page.html")
    assert nibabel.load(scan).get_data_dtype() == np.float32
    assert "4 (int16)" in text and "16 (float32)" in text
    assert "nothing to draw" not in text


def test_an_image_of_another_format_has_a_page(model, checkpoint, tmp_path, rng):
    nibabel.MGHImage(rng.random((9, 8, 7), dtype=np.float32), np.eye(4)).to_filename(tmp_path / "scan.mgz")
    assert "The input is no NIfTI file" in reported(tmp_path / "scan.mgz", tmp_path / "out.nii", model, checkpoint, tmp_path / "page.html")


def test_a_page_that_cannot_be_written_leaves_nothing(scan, model, checkpoint, tmp_path):
    with pytest.raises(InputError, match="page.html could not be written: No such file or directory"):
        reported(scan, tmp_path / "out.nii", model, checkpoint, tmp_path / "gone" / "page.html")
