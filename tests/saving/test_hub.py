"""Networks on the hub: addresses, the one file that is meant, copies of last time, and one message for all that goes wrong."""

import hashlib
import json
import logging
import pathlib
import sys

import h5py
import numpy as np
import pytest

import keras_mri
from keras_mri import info, predict
from keras_mri.errors import CheckpointError, InputError
from keras_mri.networks.residual_unet import residual_unet
from keras_mri.saving import checkpoints, hub
from keras_mri.systems.network_files import checkpoint_for, is_network, path_of_network, path_or_auto
from keras_mri.systems.wgan.settings import Config
from tests.fake_hub import FakeHub


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    """A network that takes single volumes."""
    path = tmp_path_factory.mktemp("network") / "denoiser.h5"
    network = residual_unet((None, None, None, 1), (2, 3), (1, 1))
    checkpoints.save(checkpoint_for(network, "wgan", Config(filters=(2, 3)), {"zooms": [[2, 2, 2]], "sigma": [0, 0.2]}), path)
    return path


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The library, serving a folder."""
    library = FakeHub(tmp_path / "hub", tmp_path / "cache")
    library.served.mkdir()
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", library.errors)
    hub.fetch.cache_clear()
    yield library
    hub.fetch.cache_clear()


@pytest.fixture
def put(served):
    """Return a function that puts a file on the hub."""

    def put(place, content=b"network"):
        path = served.served / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.read_bytes() if isinstance(content, pathlib.Path) else content)
        return path

    return put


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf://owner/name", ("owner/name", None, None)),
        ("hf://o-1/n.a_me/file.h5", ("o-1/n.a_me", "file.h5", None)),
        ("hf://owner/name/sub/my file.keras", ("owner/name", "sub/my file.keras", None)),
        ("hf://owner/name@v1.0", ("owner/name", None, "v1.0")),
        ("hf://owner/name/file.h5@refs/pr/1", ("owner/name", "file.h5", "refs/pr/1")),
    ],
)
def test_an_address_is_repository_file_and_revision(text, expected):
    assert hub.is_address(text) and is_network(text)
    assert hub.parsed(text) == expected and str(hub.parsed(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("hf://", "hf://owner", "hf://owner/", "hf:///name", "hf://owner/name/", "hf://owner/name/file.nii.gz", "hf://owner/name/file"),
        *("hf://owner/name/../../etc/file.h5", "hf://owner/name//file.h5", "hf://owner/name/./file.h5", "hf://owner/name\\file.h5"),
        *(
            "hf://owner/name@",
            "hf://owner/name@v1/file.h5",
            "hf://owner/name@a b",
            "hf://-owner/name",
            "hf://ow ner/name",
            "hf://öwner/name",
        ),
        *("hf://owner/name@v1@v2", "hf://owner/name\n", "hf://owner/name/a\\b.h5"),
    ],
)
def test_an_address_of_another_form_is_refused_before_the_hub_is_asked(text, served):
    with pytest.raises(InputError, match=r"is written hf://owner/name, hf://owner/name/file.h5 or .* Received: 'hf://"):
        path_of_network(text)
    assert not served.asked


def test_paths_and_names_are_no_addresses():
    assert not any(map(hub.is_address, ("epi", "hf/owner/name.h5", "HF://owner/name", pathlib.Path("hf://owner/name"), None, b"hf://a/b")))


def test_the_only_network_of_a_repository_is_taken_and_asked_for_once(put, served):
    put("owner/name/main/README.md", b"a card")
    put("owner/name/main/data/sample.nii.gz")
    put("owner/name/main/sub/denoiser.h5", b"abc")
    path = hub.fetch("hf://owner/name")
    assert path.read_bytes() == b"abc" and path.is_relative_to(served.cache)
    assert hub.fetch("hf://owner/name") == path and served.asked == ["owner/name"]


def test_h5_comes_before_keras_and_a_file_or_revision_may_be_named(put):
    put("owner/name/main/denoiser.keras", b"keras")
    assert hub.fetch("hf://owner/name").read_bytes() == b"keras"
    put("owner/name/main/denoiser.h5", b"h5")
    put("owner/name/v1/denoiser.h5", b"old")
    hub.fetch.cache_clear()
    assert hub.fetch("hf://owner/name").read_bytes() == b"h5"
    assert hub.fetch("hf://owner/name/denoiser.keras").read_bytes() == b"keras"
    assert hub.fetch("hf://owner/name@v1").read_bytes() == hub.fetch("hf://owner/name/denoiser.h5@v1").read_bytes() == b"old"


def test_of_several_networks_one_must_be_named(put):
    for name in ("a.h5", "sub/b.h5", "c.keras", "steer\x1b[2J.h5"):
        put(f"owner/name/v1/{name}")
    with pytest.raises(InputError) as caught:
        hub.fetch("hf://owner/name@v1")
    expected = "hf://owner/name@v1 holds several networks. Name one of:\n  hf://owner/name/a.h5@v1\n  hf://owner/name/sub/b.h5@v1"
    assert str(caught.value) == expected
    with pytest.raises(InputError, match="there is no d.h5 in hf://owner/name@v1. Name one of:\n  hf://owner/name/a.h5@v1\n"):
        hub.fetch("hf://owner/name/d.h5@v1")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://nobody/name", "there is no hf://nobody/name on the Hugging Face hub, or it is private. Check owner and name"),
        ("hf://gated/name", "hf://gated/name needs its owner's permission: ask for access on its page, then log in with hf auth login"),
        ("hf://owner/name@v9", "hf://owner/name has no revision 'v9'. Expected a branch, a tag or a commit"),
        ("hf://owner/name", "hf://owner/name holds no network: no file there ends in .h5 or .keras"),
        ("hf://owner/name/a.h5", "hf://owner/name/a.h5 holds no network"),
        ("hf://owner/b..it", "is no name of the Hugging Face hub: Cannot have -- or .. in repo_id. Expected hf://owner/name"),
    ],
)
def test_the_hub_refuses_with_one_message(address, message, put, capsys, tmp_path):
    put("owner/name/main/README.md")
    assert predict.main([address, "sample", "-o", str(tmp_path / "out.nii")]) == 2
    captured = capsys.readouterr().err
    assert captured.startswith("keras_mri: error: ") and captured.count("\n") == 1 and "Traceback" not in captured
    with pytest.raises(InputError, match=message):
        hub.fetch(address)
    assert not (tmp_path / "out.nii").exists()


def test_networks_that_are_too_large_are_not_fetched(put, served, monkeypatch):
    put("owner/name/main/a.h5", bytes(3000))
    monkeypatch.setattr(hub, "_MOST", 2000)
    with pytest.raises(InputError, match="hf://owner/name has 3e-06 GB. Expected a network of at most 2e-06 GB"):
        hub.fetch("hf://owner/name")
    assert not served.cache.exists()


def test_a_download_that_breaks_off_is_one_message(put, served, monkeypatch):
    put("owner/name/main/a.h5")
    for error, said in ((OSError(28, "No space left on device"), "No space left on device; free some space"), (RuntimeError("x\ny"), "x.")):

        def broken(*_, error=error, **__):
            raise error

        monkeypatch.setattr(served, "hf_hub_download", broken)
        with pytest.raises(InputError, match=f"hf://owner/name could not be downloaded: {said}"):
            hub.fetch("hf://owner/name")


def test_without_a_connection_the_copy_of_last_time_is_taken_and_that_is_said(put, served, caplog):
    put("owner/name/main/a.h5", b"abc")
    put("owner/name/v1/sub/b.h5", b"old")
    first = hub.fetch("hf://owner/name"), hub.fetch("hf://owner/name/sub/b.h5@v1")
    hub.fetch.cache_clear()
    served.online = False
    with caplog.at_level(logging.WARNING, logger="keras_mri"):
        assert (hub.fetch("hf://owner/name"), hub.fetch("hf://owner/name@v1")) == first
    said = "warning: a.h5: the Hugging Face hub cannot be reached (no route to host); the copy of last time is taken"
    assert caplog.messages[0] == said
    with pytest.raises(InputError, match="there is no c.h5 in hf://owner/name. Name one of:\n  hf://owner/name/a.h5$"):
        hub.fetch("hf://owner/name/c.h5")
    for address in ("hf://owner/name@v2", "hf://owner/other"):
        with pytest.raises(InputError, match=rf"{address} cannot be fetched: .*\(no route to host\), and this computer has no copy"):
            hub.fetch(address)


def test_without_a_connection_and_a_cache_there_is_one_message(served):
    served.online = False
    with pytest.raises(InputError, match="cannot be reached .no route to host., and this computer has no copy. Check the connection"):
        hub.fetch("hf://owner/name")


def test_without_the_library_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert info.main(["hf://owner/name"]) == 2
    message = capsys.readouterr().err
    assert "pip install keras-mri-toolkit[hub]" in message and "download the file yourself" in message and message.count("\n") == 1


def test_a_scan_is_restored_by_a_network_of_the_hub(put, network_file, write_nifti, tmp_path, rng):
    put("owner/name/main/denoiser.h5", network_file)
    scan, digest = str(write_nifti(100 + 10 * rng.random((9, 8, 7)))), hashlib.sha256(network_file.read_bytes()).hexdigest()
    expected = keras_mri.restore(network_file, scan).frame(0)
    for number, extra in enumerate(([], ["--sha256", digest.upper()], ["--mirror", "left-right"])):
        out = tmp_path / f"out{number}.nii.gz"
        assert predict.main(["hf://owner/name", scan, "-o", str(out), *extra]) == 0
        if number < 2:
            np.testing.assert_allclose(keras_mri.open_image(out).frame(0), expected, rtol=1e-5)
    np.testing.assert_array_equal(keras_mri.restore("hf://owner/name", scan, sha256=digest).frame(0), expected)


def test_a_study_keeps_the_address_of_its_network(put, network_file, bids, tmp_path):
    put("owner/name/main/denoiser.h5", network_file)
    digest, out = hashlib.sha256(network_file.read_bytes()).hexdigest(), tmp_path / "derivatives"
    study = str(bids("01"))
    words = [study, str(out), "participant", "--model", "hf://owner/name", "--sha256", digest]
    assert predict.main([*words, "--modality", "T1w", "--session-label", "1"]) == 0
    (side_car,) = out.rglob("*_T1w.json")
    made_by = json.loads(side_car.read_text())["keras_mri"]
    assert (made_by["network"], made_by["sha256"]) == ("hf://owner/name", digest)
    assert "--model hf://owner/name --sha256" in (out / "dataset_description.json").read_text()


def test_info_describes_a_network_of_the_hub_with_the_card_of_its_repository(put, network_file, capsys):
    put("owner/name/main/denoiser.h5", network_file)
    assert info.main(["hf://owner/name"]) == 0
    assert "none beside the file" in capsys.readouterr().out
    card = "---\nlicense: mit\n---\n# `denoiser.h5`: a denoiser of \x1b[2Jknees\n\n| | |\n|---|---|\n| licence | MIT |\n\n**Results.**\n"
    put("owner/name/main/README.md", card.encode())
    hub.fetch.cache_clear()
    assert info.main(["hf://owner/name"]) == 0
    text = capsys.readouterr().out
    assert "a denoiser of  [2Jknees" in text and "\x1b" not in text and "MIT" in text
    assert hashlib.sha256(network_file.read_bytes()).hexdigest() in text


def test_a_strangers_file_passes_the_same_guard(put, network_file, write_nifti, tmp_path, capsys, rng):
    scan = str(write_nifti(rng.random((9, 8, 7))))
    bad = put("owner/name/main/denoiser.h5", network_file)
    with h5py.File(bad, "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"class_name": "Conv3D"', '"class_name": "Lambda"')
    put("owner/text/main/denoiser.h5", b"no HDF5")
    for address, message in (("hf://owner/name", "holds a 'Lambda', which is not one of"), ("hf://owner/text", "is not an HDF5 file")):
        out = tmp_path / "out.nii.gz"
        assert predict.main([address, scan, "-o", str(out)]) == 2
        captured = capsys.readouterr().err
        assert message in captured and captured.count("\n") == 1 and not out.exists()
        with pytest.raises(CheckpointError, match=message):
            keras_mri.restore(address, scan)


def test_another_checksum_is_refused_before_the_file_is_looked_into(put, write_nifti, tmp_path, capsys, rng):
    scan, out = str(write_nifti(rng.random((9, 8, 7)))), tmp_path / "out.nii.gz"
    put("owner/name/main/denoiser.h5", b"no HDF5")
    local = tmp_path / "local.h5"
    local.write_bytes(b"abc")
    # SHA-256 of "abc", FIPS 180-2 appendix B.1.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert path_of_network(str(local), digest) == path_or_auto(local, digest.upper()) == local
    study = tmp_path / "study" / "sub-01" / "anat"
    study.mkdir(parents=True)
    for model in ("hf://owner/name", "t1w"):
        for words in ([model, scan, "-o", str(out)], [model, str(tmp_path / "study"), str(tmp_path / "derivatives"), "participant"]):
            assert predict.main([*words, "--sha256", digest]) == 2
            captured = capsys.readouterr().err
            assert "is refused: its SHA-256 is " in captured and f"Expected: {digest}" in captured and captured.count("\n") == 1
    assert info.main(["hf://owner/name", "--sha256", digest]) == 2
    assert not out.exists() and not (tmp_path / "derivatives").exists()
    with pytest.raises(CheckpointError, match="is refused: its SHA-256"):
        keras_mri.sample("ldm_heads", 1, sha256=digest)
    with pytest.raises(CheckpointError, match="none.h5 is not a file"):
        path_of_network(tmp_path / "none.h5", digest)


@pytest.mark.parametrize(
    ("model", "sha256", "message"),
    [
        ("epi", "abc", "the SHA-256 of a network must be 64 hexadecimal digits, as sha256sum prints them. Received: 'abc'"),
        ("auto", 64 * "0", "a SHA-256 belongs to one network, and `auto` chooses one for each scan. Name the network"),
    ],
)
def test_a_checksum_that_cannot_be_one_is_refused(model, sha256, message, capsys, tmp_path):
    assert predict.main([model, "sample", "-o", str(tmp_path / "out.nii"), "--sha256", sha256]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out.nii").exists()


def test_a_network_in_memory_has_no_checksum(network_file):
    with pytest.raises(InputError, match="`sha256` is the checksum of a file, and this network is in memory"):
        keras_mri.restore(checkpoints.load(network_file), "sample", sha256=64 * "0")
