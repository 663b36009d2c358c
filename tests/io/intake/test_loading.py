"""What nibabel logs or warns of comes as a remark with the file's name, and never as it is."""

import logging
import warnings

import nibabel
import numpy as np
import pytest

from keras_mri.errors import remarks_kept
from keras_mri.io.nifti_reading import open_image, read_header

_DATA = np.arange(60, dtype=np.float32).reshape(5, 4, 3)


def test_what_nibabel_logs_carries_the_name_of_the_file(altered, capsys):
    path = altered(_DATA, rest=bytes(4), vox_offset=356, sform_code=77)
    logger = nibabel.imageglobals.logger
    before = logger.handlers[:], logger.propagate
    with remarks_kept() as remarks:
        open_image(path)
    assert remarks == [
        "scan.nii: vox offset (=356) not divisible by 16, not SPM compatible; leaving at current value",
        "scan.nii: sform_code 77 not valid; setting to 0",
    ]
    assert (logger.handlers, logger.propagate) == before
    assert "".join(capsys.readouterr()) == ""


def test_a_header_that_is_only_compared_makes_no_remarks(altered, capsys):
    path = altered(_DATA, rest=bytes(4), vox_offset=356, sform_code=77, pixdim={1: 0})
    with remarks_kept() as remarks:
        assert int(read_header(path)["sform_code"]) == 77
    assert remarks == [] and "".join(capsys.readouterr()) == ""


def test_what_nibabel_warns_of_is_a_remark_and_left_open_files_are_none(altered, monkeypatch):
    path = altered(_DATA)
    real = nibabel.Nifti1Image.from_filename.__func__

    def warning(kind, name):
        warnings.warn("an extension is odd", UserWarning, stacklevel=2)
        warnings.warn("unclosed file", ResourceWarning, stacklevel=2)
        logging.getLogger("nibabel.global").info("nothing of weight")
        return real(kind, name)

    monkeypatch.setattr(nibabel.Nifti1Image, "from_filename", classmethod(warning))
    with warnings.catch_warnings(), remarks_kept() as remarks:
        warnings.simplefilter("error")
        open_image(path)
    assert remarks == ["scan.nii: an extension is odd"]


@pytest.mark.parametrize("endianness", "<>")
def test_numbers_beyond_float32_say_nothing_on_the_screen(tmp_path, endianness, recwarn):
    data = np.where(_DATA == 7, 1e300, _DATA.astype(np.float64))
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4), nibabel.Nifti1Header(endianness=endianness), dtype=np.float64), tmp_path / "a.nii")
    open_image(tmp_path / "a.nii", replace_nonfinite=True)
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]
