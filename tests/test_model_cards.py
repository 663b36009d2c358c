"""The metadata of the model cards, as model hubs read them: complete, and with the figures of the card's own tables and sentences."""

import importlib.util
import re

import pytest
import yaml

from keras_mri.saving import cards, pretrained

CARDS = sorted(path.with_suffix(".md") for path in pretrained.FOLDERS[0].glob("*.h5"))
# Tasks and metrics as the hub calls them.
_TASKS = {"image-to-image", "unconditional-image-generation"}
_METRICS = {"psnr", "ssim", "rmse"}


def parts(card):
    """Return the metadata of a card and its text."""
    text = card.read_text(encoding="utf-8")
    return yaml.safe_load(text.split("---\n", 2)[1]), cards.body(text)


def results(metadata):
    (entry,) = metadata["model-index"]
    return [(result, metric) for result in entry["results"] for metric in result["metrics"]]


def cells(text, row, column):
    """Return the cells of a card's tables in a row, named by its first cells, and a column."""
    found = []
    for table in re.findall(r"(?:^\|.*\|\n)+", text + "\n", re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for cells_of in rows:
            named = any(" / ".join(cells_of[:count]) == row or cells_of[count - 1] == row for count in range(1, len(cells_of)))
            found += [cells_of[header.index(column)]] if column in header and named else []
    return found


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_has_the_metadata_that_hubs_ask_for(card):
    metadata, text = parts(card)
    assert set(metadata) == {"license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index"}
    assert (metadata["license"], metadata["library_name"]) == ("apache-2.0", "keras") and metadata["pipeline_tag"] in _TASKS
    assert text.startswith(f"# `{card.stem}.h5`: ") and "| licence | Apache-2.0" in text
    for name in ("tags", "datasets", "metrics"):
        # An identifier each, none twice.
        assert metadata[name] and len(set(metadata[name])) == len(metadata[name])
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*", entry) for entry in metadata[name]), name
    assert metadata["model-index"][0]["name"] == card.stem
    for result, metric in results(metadata):
        assert result["task"]["type"] in _TASKS and result["task"]["name"]
        assert re.fullmatch(r"[a-z0-9-]+", result["dataset"]["type"]) and result["dataset"]["name"]
        assert metric["type"] in metadata["metrics"] and metric["type"] in _METRICS and metric["name"]
    assert {metric["type"] for _, metric in results(metadata)} == set(metadata["metrics"])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_figures_of_the_metadata_are_those_of_the_card(card):
    metadata, text = parts(card)
    for _, metric in results(metadata):
        if "quote" in metric["args"]:
            assert metric["args"]["quote"] in " ".join(text.split()) and str(metric["value"]) in metric["args"]["quote"]
        else:
            (cell,) = cells(text, **metric["args"])
            assert float(re.match(r"-?\d*\.?\d+", cell)[0]) == metric["value"], metric


def test_a_cell_is_found_by_row_and_column():
    text = "| a | b | c |\n|---|---|---|\n| x | 1 mm | 3 ± 1 |\n| x | 2 mm | 4 |\n\nwords\n\n| a | d |\n| - | - |\n| x | 5 |\n"
    assert cells(text, "x / 1 mm", "c") == ["3 ± 1"] and cells(text, "2 mm", "c") == ["4"]
    assert cells(text, "x", "d") == ["5"] and cells(text, "x", "e") == [] and cells(text, "x", "c") == ["3 ± 1", "4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\n---\n\n# title\n---\ntext\n---\n", "# title\n---\ntext\n---\n"),
        ("---\r\nlicense: mit\r\n---\r\n# title", "# title"),
        ("# title\n\n---\nlicense: mit\n---\n", "# title\n\n---\nlicense: mit\n---\n"),
        ("---\nnever ended\n", "---\nnever ended\n"),
        ("", ""),
    ],
)
def test_a_text_begins_behind_its_metadata(text, expected):
    assert cards.body(text) == expected


@pytest.mark.skipif(importlib.util.find_spec("huggingface_hub") is None, reason="needs the extra [hub], huggingface_hub")
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_hubs_own_library_reads_the_metadata(card):
    import huggingface_hub

    metadata, text = parts(card)
    read = huggingface_hub.ModelCard(card.read_text(encoding="utf-8"))
    # Unreadable results are a warning of the library's, and none.
    assert read.data.model_name == card.stem and len(read.data.eval_results) == len(results(metadata))
    assert [(one.metric_type, one.metric_value) for one in read.data.eval_results] == [
        (metric["type"], metric["value"]) for _, metric in results(metadata)
    ]
    assert (read.data.license, read.data.library_name, read.data.pipeline_tag) == ("apache-2.0", "keras", metadata["pipeline_tag"])
    assert read.text.strip() == text.strip()
