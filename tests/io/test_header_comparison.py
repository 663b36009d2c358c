"""Two headers against one another: what differs is named with its reason, and nothing else."""

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from keras_mri.io.header_comparison import compare


def header(kind=nibabel.Nifti1Header, endianness="<", shape=(9, 8, 7, 4), dtype=np.int16):
    made = kind(endianness=endianness)
    made.set_data_shape(shape)
    made.set_data_dtype(dtype)
    made.set_qform(np.diag([2.1, 2.5, 3.3, 1]), 1)
    made.set_zooms((2.1, 2.5, 3.3, 1.35)[: len(shape)])
    made["descrip"] = b"a scan"
    made["scl_slope"], made["scl_inter"] = np.nan, np.nan
    return made


def changed(before, after):
    return {field.name: (field.before, field.after, bool(field.why)) for field in compare(before, after) if not field.equal}


def test_equal_headers_are_equal_in_every_field_of_the_standard():
    fields = compare(header(), header())
    assert [field.name for field in fields] == [*nibabel.Nifti1Header.template_dtype.names, "byte order", "extensions"]
    assert all(field.equal and not field.why and field.before == field.after for field in fields)


def test_another_datatype_is_explained_and_another_repetition_time_is_not():
    after = header(dtype=np.float32)
    after["pixdim"][4] = 1.0
    assert changed(header(), after) == {
        "datatype": ("4 (int16)", "16 (float32)", True),
        "bitpix": ("16", "32", True),
        "pixdim": ("1.0 2.1 2.5 3.3 1.35 1.0 1.0 1.0", "1.0 2.1 2.5 3.3 1.0 1.0 1.0 1.0", False),
    }


@pytest.mark.parametrize("field", ["descrip", "intent_name", "aux_file"])
def test_texts_are_compared(field):
    after = header()
    after[field] = b"another"
    before = "a scan" if field == "descrip" else ""
    assert changed(header(), after) == {field: (before, "another", False)}


def test_the_other_version_of_nifti_differs_in_what_makes_it_one():
    differences = changed(header(), header(nibabel.Nifti2Header))
    assert set(differences) == {"sizeof_hdr", "magic", "eol_check"}
    assert all(explained for *_, explained in differences.values())


def test_the_other_byte_order_is_one_difference():
    assert changed(header(), header(endianness=">")) == {"byte order": ("little-endian", "big-endian", True)}


def test_another_shape_explains_the_grid_but_not_the_description():
    after = header(shape=(18, 8, 7))
    after.set_qform(np.diag([1.05, 2.5, 3.3, 1]), 1)
    after["descrip"] = b"mine"
    differences = changed(header(), after)
    assert {name: explained for name, (*_, explained) in differences.items()} == {"dim": True, "pixdim": True, "descrip": False}


@pytest.mark.parametrize("endianness", "<>")
def test_a_lost_or_altered_extension_is_a_difference(endianness):
    before, same, altered = (header(endianness=endianness) for _ in range(3))
    for one, content in ((before, b"Tuesday"), (same, b"Tuesday"), (altered, b"Monday.")):
        one.extensions.append(Nifti1Extension("comment", content))
    assert changed(before, same) == {}
    assert changed(before, altered) == {"extensions": ("1, code 6, 16 bytes", "1, code 6, 16 bytes", False)}
    assert changed(before, header(endianness=endianness)) == {"extensions": ("1, code 6, 16 bytes", "none", False)}
