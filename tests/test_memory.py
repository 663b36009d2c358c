import pathlib

from keras_mri.memory import agreed_on, available_bytes


def test_the_memory_that_is_free_is_a_plausible_number():
    assert 1e7 < available_bytes() < 1e14


def test_a_system_that_says_nothing_has_two_gigabytes(monkeypatch):
    def refuse(*arguments):
        raise OSError

    monkeypatch.setattr(pathlib.Path, "read_text", refuse)
    monkeypatch.setattr("os.sysconf", refuse)
    assert available_bytes() == 2e9


def test_what_linux_would_give_back_from_its_cache_counts_as_free(monkeypatch):
    monkeypatch.setattr(pathlib.Path, "read_text", lambda path: "MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable: 5 kB\n")
    assert available_bytes() == 5 * 1024


def test_what_was_agreed_on_holds_within_its_block():
    with agreed_on(7e8), agreed_on(5e8):
        assert available_bytes() == 5e8
    assert available_bytes() != 5e8
