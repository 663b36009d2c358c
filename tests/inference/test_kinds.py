"""Which kind of scan a volume is: name and side-car first, then frames, sides and contrast."""

import json

import nibabel
import numpy as np
import pytest

from keras_mri.errors import InputError, remarks_kept
from keras_mri.imaging import phantoms
from keras_mri.inference.kinds import kind_of_scan
from keras_mri.io.nifti_reading import open_image

EPI, FINE = (3.0, 3.0, 3.5), (1.3, 1.3, 1.3)


@pytest.fixture
def scan(tmp_path):
    """Return a function that writes a head, of T1 contrast or not, and opens it."""

    def make(name="scan1.nii.gz", t1=False, zooms=EPI, frames=0, change=0.0, **sidecar):
        shape = tuple(int(side / zoom) for side, zoom in zip((180, 190, 160), zooms))
        data, brain = phantoms.head(shape, seed=1)
        data = (np.maximum(1200 - data, 20) if t1 else data) * brain
        data = np.stack([data * (1 + change * (t % 3)) for t in range(frames)], axis=-1) if frames else data
        volume = phantoms.noisy_volume(data, 20, affine=np.diag([*zooms, 1]), model="rician")
        nibabel.save(nibabel.Nifti1Image(volume.data, volume.affine), tmp_path / name)
        if sidecar:
            (tmp_path / name).with_name(name.removesuffix(".nii.gz") + ".json").write_text(json.dumps(sidecar))
        return open_image(tmp_path / name)

    return make


def kind_and_remarks(volume):
    with remarks_kept() as remarks:
        return kind_of_scan(volume), remarks


def test_the_name_decides_and_the_reason_is_given(scan):
    kind, remarks = kind_and_remarks(scan("sub-01_T1w.nii.gz", t1=True))
    assert kind == ("T1w", "its name says T1w") and remarks == []


def test_a_side_car_decides_where_the_name_says_nothing(scan):
    kind, remarks = kind_and_remarks(scan(SeriesDescription="AX T2 FLAIR", zooms=EPI))
    assert kind == ("FLAIR", "SeriesDescription of its side-car is 'AX T2 FLAIR', which means FLAIR") and remarks == []
    times = {"ScanningSequence": "GR", "EchoTime": 0.003, "RepetitionTime": 0.008}
    assert kind_of_scan(scan("scan2.nii.gz", t1=True, **times)) == ("T1w", "the sequence and times in its side-car tell, which means T1w")


def test_name_and_side_car_that_differ_are_a_remark_and_the_name_is_followed(scan):
    kind, remarks = kind_and_remarks(scan("head_T1w.nii.gz", t1=True, SeriesDescription="t2_tse"))
    assert kind.suffix == "T1w"
    assert remarks == [
        "head_T1w.nii.gz: SeriesDescription of its side-car is 't2_tse', which means T2w; its name says T1w, and is followed"
    ]
    # EPI is how BOLD is measured: no contradiction.
    assert kind_and_remarks(scan("head_bold.nii.gz", ScanningSequence="EP"))[1] == []


def test_b_values_make_a_diffusion_series_unless_all_are_zero(scan, tmp_path):
    volume = scan(frames=12)
    (tmp_path / "scan1.bval").write_text("0 0 5\n")
    assert kind_of_scan(volume).suffix == "bold"
    (tmp_path / "scan1.bval").write_text("0 1000 1000\n")
    assert kind_of_scan(volume) == ("dwi", "there are b-values beside it")
    (tmp_path / "scan1.bval").write_bytes(b"\xff\xfe nothing")
    assert kind_of_scan(volume).suffix == "bold"
    bold, _ = scan("a_bold.nii.gz", frames=12), (tmp_path / "a_bold.bval").write_text("0 1000\n")
    kind, remarks = kind_and_remarks(bold)
    assert kind.suffix == "bold" and remarks == ["a_bold.nii.gz: has b-values beside it; its name says bold, and is followed"]


def test_frames_tell_a_run_from_a_series_of_several_contrasts(scan):
    assert kind_of_scan(scan(frames=12)) == ("bold", "its 12 frames are alike, as those of a run are")
    assert kind_of_scan(scan(frames=12, change=0.5)).suffix is None
    assert kind_of_scan(scan(frames=5, change=0.5)) == (None, "its 5 frames differ, as those of diffusion or of several echoes do")
    # A few alike frames are judged as a volume is, and so are fewer.
    assert kind_of_scan(scan(frames=6)).suffix == kind_of_scan(scan(frames=3, change=0.5)).suffix == "epi"


@pytest.mark.parametrize(
    ("t1", "zooms", "kind", "why"),
    [
        (False, EPI, "epi", "voxels of 3 mm in the plane and white matter darker than grey matter look like EPI"),
        (True, FINE, "T1w", "voxels of 1.3 mm in the plane and white matter brighter than grey matter look like T1w"),
        (True, EPI, None, "voxels of 3 mm in the plane and T1 contrast leave open which kind of scan it is"),
        (False, FINE, None, "voxels of 1.3 mm in the plane and another contrast leave open which kind of scan it is"),
    ],
)
def test_sides_and_contrast_decide_together(scan, t1, zooms, kind, why):
    found, remarks = kind_and_remarks(scan(t1=t1, zooms=zooms))
    assert found == (kind, why) and remarks == []


def test_a_contrast_that_contradicts_the_name_is_a_remark(scan):
    kind, remarks = kind_and_remarks(scan("a_T1w.nii.gz", t1=False))
    assert kind.suffix == "T1w"
    assert remarks == ["a_T1w.nii.gz: white matter is darker than grey matter, as far as can be seen, which is unusual of T1w"]
    assert "white matter is brighter than grey matter" in kind_and_remarks(scan("a_T2w.nii.gz", t1=True))[1][0]
    assert kind_and_remarks(scan("b_T2w.nii.gz", t1=False))[1] == []


@pytest.mark.parametrize(
    ("name", "facts", "source"),
    [
        ("sub-01_T1map.nii.gz", {}, "its name says T1map"),
        ("sub-01_part-phase_bold.nii.gz", {}, "its name says part-phase"),
        ("a_bold.nii.gz", {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}, "its side-car has ImageType P"),
    ],
)
def test_phases_and_maps_are_refused_with_the_way_out(scan, name, facts, source):
    with pytest.raises(InputError, match=f"{name} is no scan of magnitudes: {source}. `auto` chooses .* name a network to restore it"):
        kind_of_scan(scan(name, **facts))


def test_derivatives_and_negative_intensities_are_remarks(scan, affine):
    assert kind_and_remarks(scan("sub-01_desc-preproc_bold.nii.gz"))[1] == [
        "sub-01_desc-preproc_bold.nii.gz: is a derivative by its name, desc-preproc: its noise is not that of a scanner"
    ]
    assert "was denoised already" in kind_and_remarks(scan("b_bold.nii.gz", keras_mri={"network": "wgan_epi.h5"}))[1][0]
    volume = scan("c.nii.gz")
    phase = volume.with_frames(lambda t: volume.frame(t) - 300)
    assert "of what is not near zero is negative: it may be a phase image or a map" in kind_and_remarks(phase)[1][0]
