import pytest

from keras_mri.io.bids.descriptions import kind_in_name, kind_in_words, no_scan_by_name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("t1_mprage_sag_p2_iso", "T1w"),
        ("MPRAGE", "T1w"),
        ("Sag T1 FLAIR", "T1w"),
        ("FSPGR BRAVO", "T1w"),
        ("t2_space_dark-fluid_sag", "FLAIR"),
        ("AX T2 FLAIR", "FLAIR"),
        ("3D_FLAIR", "FLAIR"),
        ("t2_tse_tra", "T2w"),
        ("Ax FRFSE", "T2w"),
        ("T2* GRE", "T2starw"),
        ("SWI_Images", "T2starw"),
        ("pd_tse", "PDw"),
        ("ep2d_diff_mddw_64", "dwi"),
        ("DTI 32 b1000", "dwi"),
        ("ep2d_bold_moco", "bold"),
        ("cmrr_mbep2d_bold", "bold"),
        ("rsfMRI eyes open", "bold"),
        ("ep2d_se", "epi"),
        ("pCASL", "asl"),
        ("pcasl2d", "asl"),
        ("TOF_3D", "angio"),
        ("localizer", None),
        ("scan1", None),
        ("series7", None),
        ("t10", None),
        ("", None),
    ],
)
def test_words_speak_of_a_kind_of_scan(text, kind):
    assert kind_in_words(text) == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x/sub-01_ses-t2_acq-hires_T1w.nii.gz", "T1w"),
        ("sub-01_ses-t1_acq-space.nii.gz", None),
        ("sub-t1_run-2.nii", None),
        ("sub-01_acq-mprage.nii", "T1w"),
        ("T1w_defaced.nii.gz", "T1w"),
        ("head 3 MPRAGE.nii", "T1w"),
        ("flair.mgz", "FLAIR"),
        ("scan1.nii.gz", None),
    ],
)
def test_the_suffix_comes_first_and_entities_say_nothing(name, kind):
    assert kind_in_name(name) == kind


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("sub-01_T1map.nii.gz", "T1map"),
        ("sub-01_part-phase_bold.nii.gz", "part-phase"),
        ("sub-01_part-mag_bold.nii.gz", None),
        ("sub-01_phase1.nii.gz", "phase1"),
        ("dti_FA.nii.gz", "FA"),
        ("dti_ADC.nii", "ADC"),
        ("sub-01_dseg.nii.gz", "dseg"),
        ("sub-01_pet.nii.gz", "pet"),
        ("sub-01_ct.nii.gz", "ct"),
        # Somebody's initials, and a phase of a study.
        ("head_fa.nii.gz", None),
        ("phase2_T1w.nii.gz", None),
        ("sub-01_dwi.nii.gz", None),
    ],
)
def test_what_is_no_scan_says_so_by_its_last_word(name, word):
    assert no_scan_by_name(name) == word
