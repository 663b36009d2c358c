"""What is no image that can be read is called by its name, with what turns it into one; no file of the user's is touched."""

import gzip
import re

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError
from keras_mri.io.intake.endings import check_no_dicom
from keras_mri.io.mask_files import load_mask
from keras_mri.io.nifti_reading import open_image, read_header
from keras_mri.io.volumes import Volume

_DICOM = bytes(128) + b"DICM" + bytes(400)


def _refused(path, message):
    before = path.read_bytes() if path.is_file() else None
    for read in (open_image, read_header):
        with pytest.raises(InputError, match=message):
            read(path)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.fixture
def plain(tmp_path, rng):
    """Return the bytes of a NIfTI file and of an MGH file."""
    data = rng.integers(0, 99, (5, 4, 3)).astype(np.float32)
    nibabel.Nifti1Image(data, np.eye(4)).to_filename(tmp_path / "a.nii")
    nibabel.MGHImage(data, np.eye(4)).to_filename(tmp_path / "a.mgh")
    return (tmp_path / "a.nii").read_bytes(), (tmp_path / "a.mgh").read_bytes()


def test_a_wrong_ending_is_told_with_the_right_one(tmp_path, plain):
    nifti, mgh = plain
    wrong = {
        "b.nii.gz": (nifti, "is not compressed with gzip, though its ending says so. Rename it to b.nii, or compress it."),
        "b.mgz": (mgh, "is not compressed with gzip, though its ending says so. Rename it to b.mgh, or compress it."),
        "c.nii": (
            gzip.compress(nifti, mtime=0),
            "is compressed with gzip, and its ending does not say so. Rename it to c.nii.gz, or decompress it.",
        ),
        "c.mgh": (
            gzip.compress(mgh, mtime=0),
            "is compressed with gzip, and its ending does not say so. Rename it to c.mgz, or decompress it.",
        ),
        "d.nii.gz": (
            gzip.compress(gzip.compress(nifti, mtime=0)),
            "is compressed with gzip twice. Decompress it once: gunzip d.nii.gz, then add",
        ),
    }
    for name, (content, message) in wrong.items():
        (tmp_path / name).write_bytes(content)
        _refused(tmp_path / name, re.escape(f"{tmp_path / name} {message}"))
        # As a mask, too.
        with pytest.raises(InputError, match=re.escape(message)):
            load_mask(tmp_path / name, Volume.from_array(np.ones((5, 4, 3)), np.eye(4)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("IM0001", _DICOM, "it is DICOM. Expected NIfTI .* convert it: dcm2niix -z y -o OUT_FOLDER"),
        ("scan.nii.gz", gzip.compress(_DICOM, mtime=0), "it is DICOM. .* dcm2niix"),
        ("scan.DCM", b"old DICOM without a preamble", "it is DICOM. .* dcm2niix"),
        ("scan.PAR", b"# === DATA DESCRIPTION FILE", "it is Philips PAR/REC. .* dcm2niix"),
        ("scan.mnc", b"CDF\1", "it is MINC. .* convert it: mnc2nii scan.mnc scan.nii"),
        ("scan+orig.BRIK", bytes(600), "it is AFNI. .* convert it: 3dAFNItoNIFTI -prefix scan.nii.gz scan.orig.BRIK"),
        ("scan.nrrd", b"NRRD0004", "it is NRRD or MetaImage. .* convert it: c3d scan.nrrd -o scan.nii.gz"),
        ("scan.npy", b"\x93NUMPY", r"it is NumPy, which .* Volume.from_array\(data, affine\)"),
        ("net.h5", b"\x89HDF", "it is a network. Expected NIfTI"),
        ("scan.nii", b"PK\3\4" + bytes(600), "is a zip archive. Expected NIfTI .*: unpack it first"),
        ("scan.nii.xz", b"\xfd7zXZ" + bytes(600), "is compressed with xz"),
        (
            "scan.nii.gz",
            b"version https://git-lfs.github.com/spec/v1\n",
            "of Git LFS or git-annex, not an image. Get it: git lfs pull",
        ),
        ("scan.nii", b"/annex/objects/MD5E-s9", "is a pointer of Git LFS or git-annex"),
        ("scan.nii.gz", b"<!DOCTYPE html><title>404</title>", "is a web page, not an image. Download"),
    ],
)
def test_other_formats_are_named_with_what_converts_them(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    _refused(tmp_path / name, message)


def test_a_folder_of_dicom_names_its_converter_and_a_study_does_not(tmp_path):
    (tmp_path / "series" / "deeper").mkdir(parents=True)
    (tmp_path / "series" / "deeper" / "IM0001").write_bytes(_DICOM)
    _refused(tmp_path / "series", rf"^{tmp_path}/series is a folder of DICOM files. .* dcm2niix -z y -o OUT_FOLDER {tmp_path}/series$")
    (tmp_path / "series" / "sub-01").mkdir()
    check_no_dicom(tmp_path / "series")
    _refused(tmp_path / "series", "is not a file. Expected a NIfTI image")


def test_a_link_into_an_annex_that_is_not_here_says_how_to_get_it(tmp_path):
    (tmp_path / "scan.nii.gz").symlink_to(".git/annex/objects/x")
    _refused(tmp_path / "scan.nii.gz", "is a link to a file that is not here. .* datalad get ")


def test_a_nifti_file_may_have_any_ending_that_nibabel_reads(tmp_path, plain):
    image = nibabel.load(tmp_path / "a.nii")
    for name in ("b.nii", "b.nii.gz", "b.nii.bz2", "b.hdr", "b.mgz"):
        kind = nibabel.Nifti1Pair if name == "b.hdr" else nibabel.MGHImage if name == "b.mgz" else nibabel.Nifti1Image
        kind(np.asarray(image.dataobj), image.affine).to_filename(tmp_path / name)
        np.testing.assert_array_equal(open_image(tmp_path / name).data, image.get_fdata())
