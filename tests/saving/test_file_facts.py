import json

import pytest

import keras_mri
from keras_mri.errors import CheckpointError
from keras_mri.saving import file_facts

OLD = {"format": 1, "version": "0.1.0", "system": "wgan", "config": {"seed": 3}, "training": {}}
NEW = {**OLD, "format": 2, "inference": {"scaling": "minmax"}}


def test_facts_are_written_in_the_newest_format_and_read_again():
    written = file_facts.to_json("wgan", {"scaling": "minmax"}, {"seed": 3}, {})
    assert json.loads(written) == {**NEW, "version": keras_mri.__version__}
    assert file_facts.from_json(written, "a.h5") == json.loads(written)


def test_facts_of_format_1_are_read_without_inference_and_written_as_they_were():
    assert file_facts.from_json(json.dumps(OLD), "a.h5") == {**OLD, "inference": None}
    assert json.loads(file_facts.to_json("wgan", None, {"seed": 3}, {})) == {**OLD, "version": keras_mri.__version__}
    # Format 1 has no such field: what stands there was put in by somebody else.
    assert file_facts.from_json(json.dumps({**OLD, "inference": 7}), "a.h5")["inference"] is None


def test_settings_of_the_training_are_not_parsed():
    config = {"an option that no version has": [None, {"x": 1}]}
    assert file_facts.from_json(json.dumps({**NEW, "config": config}), "a.h5")["config"] == config


def test_a_newer_format_is_refused_whatever_its_fields():
    with pytest.raises(CheckpointError, match=r"a.h5 has format 3; this version reads up to 2. Update keras_mri \(pip install -U\)"):
        file_facts.from_json('{"format": 3}', "a.h5")


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("value", [None, "7.5", 3.5])
def test_a_damaged_field_is_named(name, value):
    value = [value] if isinstance(value, NEW[name].__class__) else value
    with pytest.raises(CheckpointError, match=f"a.h5 has damaged `keras_mri` facts: no valid {name}"):
        file_facts.from_json(json.dumps({**NEW, name: value}), "a.h5")


@pytest.mark.parametrize("number", [0, -1, False])
def test_a_format_that_never_was_is_damage(number):
    with pytest.raises(CheckpointError, match="no valid format"):
        file_facts.from_json(json.dumps({**NEW, "format": number}), "a.h5")
