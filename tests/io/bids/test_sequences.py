import pytest

from keras_mri.io.bids.sequences import kind_in_sidecar, no_magnitude


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"SeriesDescription": "t1_mprage"}, "T1w"),
        ({"SeriesDescription": "head", "ProtocolName": "AX FLAIR"}, "FLAIR"),
        ({"SeriesDescription": "t2_tse", "ProtocolName": "t1"}, "T2w"),
        ({"SequenceName": "*epfid2d1_64", "ScanningSequence": "EP"}, "epi"),
        ({"PulseSequenceType": "Gradient Echo EPI"}, "epi"),
        ({"ArterialSpinLabelingType": "PCASL", "ScanningSequence": "EP"}, "asl"),
        ({"TaskName": "rest"}, "bold"),
        # MPRAGE, in seconds and in milliseconds.
        ({"ScanningSequence": "GR\\IR", "EchoTime": 0.003, "RepetitionTime": 2.3, "InversionTime": 0.9}, "T1w"),
        ({"ScanningSequence": ["GR", "IR"], "EchoTime": 3.0, "RepetitionTime": 2300, "InversionTime": 900}, "T1w"),
        ({"ScanningSequence": "GR", "EchoTime": 0.004, "RepetitionTime": 0.02}, "T1w"),
        ({"ScanningSequence": "GR", "EchoTime": 0.02, "RepetitionTime": 0.6}, "T2starw"),
        ({"ScanningSequence": "SE\\IR", "EchoTime": 0.12, "RepetitionTime": 9.0, "InversionTime": 2.5}, "FLAIR"),
        ({"ScanningSequence": "SE", "EchoTime": 0.1, "RepetitionTime": 5.0}, "T2w"),
        ({"ScanningSequence": "SE", "EchoTime": 0.015, "RepetitionTime": 3.0}, "PDw"),
        ({"ScanningSequence": "SE", "EchoTime": 0.012, "RepetitionTime": 0.5}, "T1w"),
        # What leaves doubt, and what is nonsense.
        ({"ScanningSequence": "GR", "EchoTime": 0.004, "RepetitionTime": 0.6}, None),
        ({"ScanningSequence": "SE", "EchoTime": 0.045, "RepetitionTime": 3.0}, None),
        ({"ScanningSequence": "SE", "EchoTime": [0.1], "RepetitionTime": "long"}, None),
        ({"SeriesDescription": 7, "EchoTime": -1}, None),
        ({"EchoTime": 0.1, "RepetitionTime": 5.0}, None),
        ({}, None),
    ],
)
def test_a_side_car_tells_the_kind(facts, kind):
    found, why = kind_in_sidecar(facts)
    assert found == kind and bool(why) == bool(kind)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "ImageType P"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]}, None),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "ImageType ADC"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"]}, None),
        ({"ImageType": "P"}, None),
        ({"Units": "rad"}, "Units rad"),
        ({"Units": "arbitrary"}, None),
        ({}, None),
    ],
)
def test_phases_and_maps_are_no_magnitudes(facts, word):
    assert no_magnitude(facts) == word
