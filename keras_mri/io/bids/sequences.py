"""Which kind of scan a side-car tells of: the words for the series, the sequence and its times."""

from keras_mri.io.bids.descriptions import kind_in_words

# In this order: what a person named tells more than what the scanner calls its pulse sequence.
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "PulseSequenceType", "PulseSequenceName", "SequenceName", "PulseSequenceDetails")
# Words of ImageType and units of images that are no magnitudes as measured. PHASE MAP and the like begin so.
_NO_MAGNITUDES = ("P", "PHASE", "R", "REAL", "I", "IMAGINARY", "ADC", "FA", "TENSOR", "COLFA", "FIELDMAP")
_MAPS = ("PHASE", "T1 MAP", "T2 MAP", "T2_STAR MAP", "B0")
_UNITS = ("rad", "Hz", "rad/s", "deg")
# Seconds. Longer echoes of spin echoes weight by T2, of gradient echoes by T2*; shorter repetitions of spin echoes weight by T1.
_LONG_SPIN, _LONG_GRADIENT, _SHORT_REPETITION = 0.06, 0.015, 1.2
# Inversion times that blank CSF.
_FLUID = 1.5


def kind_in_sidecar(facts):
    """Return which kind of scan a side-car tells of.

    Parameters
    ----------
    facts : dict
        Fields as BIDS and dcm2niix name them.

    Returns
    -------
    kind : str or None
        A suffix of BIDS.
    why : str
        The fields that tell, in words.
    """
    for field in _DESCRIPTIONS:
        text = facts.get(field)
        kind = kind_in_words(text) if isinstance(text, str) else None
        if kind:
            return kind, f"{field} of its side-car is {text[:60]!r}"
    if "ArterialSpinLabelingType" in facts:
        return "asl", "its side-car has ArterialSpinLabelingType"
    if "TaskName" in facts:
        return "bold", "its side-car has TaskName"
    kind = _kind_of_sequence(facts)
    return kind, "the sequence and times in its side-car tell" if kind else ""


def no_magnitude(facts):
    """Return the words of a side-car that say its image holds no magnitudes as measured: str or None."""
    words = facts.get("ImageType")
    for word in words if isinstance(words, list) else []:
        word = str(word).upper()
        if word in _NO_MAGNITUDES or word.startswith(_MAPS):
            return f"ImageType {word}"
    unit = facts.get("Units")
    return f"Units {unit}" if unit in _UNITS else None


def _kind_of_sequence(facts):
    """Return the weighting by ScanningSequence and the times, where they leave no doubt."""
    sequence = facts.get("ScanningSequence")
    sequence = set(str(sequence if not isinstance(sequence, list) else " ".join(map(str, sequence))).upper().replace("\\", " ").split())
    echo, repetition, inversion = (_seconds(facts.get(name), longest) for name, longest in _TIMES)
    if "EP" in sequence:
        return "epi"
    if not echo:
        return None
    if inversion and inversion > _FLUID:
        return "FLAIR" if echo > _LONG_SPIN else None
    if "GR" in sequence:
        return "T2starw" if echo > _LONG_GRADIENT else "T1w" if inversion or repetition and repetition < _SHORT_REPETITION / 20 else None
    if "SE" not in sequence or not repetition:
        return None
    if repetition < _SHORT_REPETITION:
        return "T1w" if echo < _LONG_SPIN / 2 else None
    return "T2w" if echo > _LONG_SPIN else "PDw" if echo < _LONG_SPIN / 2 else None


# The longest that each can be in seconds; larger numbers are milliseconds.
_TIMES = (("EchoTime", 1.0), ("RepetitionTime", 30.0), ("InversionTime", 10.0))


def _seconds(value, longest):
    if type(value) not in (int, float) or not value > 0:
        return None
    return value / 1000 if value > longest else float(value)
