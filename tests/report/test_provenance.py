"""Programs, files and memory, against the reports of Python and the operating system."""

import hashlib
import platform

import numpy as np

import keras_mri
from keras_mri.report import provenance


def test_versions_are_those_that_run():
    found = provenance.versions()
    assert (found["keras_mri"], found["numpy"], found["Python"]) == (keras_mri.__version__, np.__version__, platform.python_version())


def test_a_backend_that_is_not_in_use_is_not_named(monkeypatch):
    monkeypatch.delitem(provenance.sys.modules, "tensorflow", raising=False)
    assert "tensorflow" not in provenance.versions()
    monkeypatch.setitem(provenance.sys.modules, "tensorflow", provenance)
    assert "tensorflow" in provenance.versions()


def test_a_digest_is_the_sha256_of_the_content(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 100_000)
    assert provenance.digest(tmp_path / "file") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_peak_of_memory_is_in_bytes_and_grows_with_what_is_held():
    held = np.ones(30_000_000, np.uint8)
    before = provenance.peak_memory()
    # NumPy alone takes more than 20 MB and no test of this suite 1 TB.
    assert 20e6 + held.nbytes < before < 1e12
