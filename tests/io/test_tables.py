import pytest

from keras_mri.errors import InputError
from keras_mri.io.tables import read_rows


def test_rows_and_columns_are_read_in_order_and_what_a_short_line_lacks_is_filled(tmp_path):
    (tmp_path / "table.tsv").write_text("\ufeffname\tvalue\nä\t1\nb\n", encoding="utf-8")
    rows, columns = read_rows(tmp_path / "table.tsv", "a table", "n/a")
    assert columns == ["name", "value"]
    assert rows == [{"name": "ä", "value": "1"}, {"name": "b", "value": "n/a"}]
    (tmp_path / "empty.tsv").write_text("")
    assert read_rows(tmp_path / "empty.tsv", "a table") == ([], [])


def test_what_is_no_table_is_named_with_what_was_expected(tmp_path):
    with pytest.raises(InputError, match="nowhere.tsv is not a file. Expected a menu; check the path"):
        read_rows(tmp_path / "nowhere.tsv", "a menu")
    (tmp_path / "image.tsv").write_bytes(b"\x1f\x8b\xff")
    with pytest.raises(InputError, match="image.tsv is not a text table. Expected a menu, in UTF-8, columns separated by tabs"):
        read_rows(tmp_path / "image.tsv", "a menu")


def test_a_table_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "table.tsv").write_text("name\n")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(InputError, match="table.tsv cannot be read: Permission denied. Expected a menu"):
        read_rows(tmp_path / "table.tsv", "a menu")
