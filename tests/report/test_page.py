"""The page: self-contained, well formed, with the right numbers, and safe against markup in file names."""

import html.parser
import re

import numpy as np
import pytest

from keras_mri.imaging import phantoms
from keras_mri.imaging.verdict import Pair, Verdict
from keras_mri.io.header_comparison import Field
from keras_mri.io.volumes import Volume
from keras_mri.report.page import Facts, render
from tests.report.test_comparison import compared, computed

_NASTY = '<script src="http://x.example/">&\'"{{ 7 * 7 }}</script>'
_VOID = {"meta", "img", "!doctype"}


class Page(html.parser.HTMLParser):
    """Checks that tags close in order, and collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def run():
    clean = phantoms.bold_run((20, 18, 16, 5))[0]
    return phantoms.noisy_volume(clean, 40.0).data, clean


def facts(**changes):
    fields = [Field("descrip", "a", "a", True, ""), Field("datatype", "4", "16", False, "because"), Field("pixdim", "1", "2", False, "")]
    usual = Facts("scan → out", "wgan", 12.34, 3 * 2**30, [], [], fields, {"Files": {"input": "scan"}, "Programs": {"keras": "3"}}, None)
    return usual._replace(**changes)


def page(before, after, **changes):
    text = render(compared(before, after), facts(**changes))
    return Page(text), text


def test_a_run_has_every_section_and_its_numbers(run):
    parsed, text = page(*run)
    words = " ".join(parsed.text)
    for title in ("Before and after", "The difference", "Temporal SNR", "Header", "Files", "Programs"):
        assert title in words
    for number in ("12.3 s", "3.00 GiB", "1 of 3 fields are equal", "1 changed without a reason", "Frame 2 of 0 to 4"):
        assert number in words
    sigma = float(re.search(r"noise SD, estimated</dt><dd>([\d.]+) →", text).group(1))
    assert sigma == pytest.approx(40, rel=0.1)
    # Three planes of three columns, twice, and a bar below each scale.
    assert parsed.tags.count("img") == 2 * 9 + 4 and parsed.tags.count("svg") == 2
    assert "Warnings" not in words


def test_nothing_is_fetched_and_nothing_runs(run):
    parsed, text = page(*run)
    assert not {"script", "link", "iframe", "object", "a"} & set(parsed.tags)
    addresses = [value for _, name, value in parsed.attributes if name in ("src", "href", "srcset", "xlink:href")]
    assert addresses and all(value.startswith("data:image/png;base64,") for value in addresses)
    assert "url(" not in text and "@import" not in text
    assert ("meta", "content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in parsed.attributes


def test_markup_and_template_code_from_users_are_shown_as_text(run):
    fields = [Field("descrip", _NASTY, _NASTY + "!", False, ""), Field("aux_file", _NASTY, _NASTY, True, "")]
    parsed, _ = page(
        *(volume[..., 0] for volume in run), title=_NASTY, lead=_NASTY, warnings=[_NASTY], messages=[_NASTY], fields=fields,
        tables={_NASTY: {_NASTY: _NASTY}, "b" + _NASTY: {_NASTY: _NASTY}}, card=_NASTY,
    )  # fmt: skip
    assert "script" not in parsed.tags
    # Title twice, lead, warning, message, four header cells, two tables' titles and cells, card.
    assert "".join(parsed.text).count(_NASTY) == 2 + 1 + 1 + 1 + 3 + 2 + 4 + 1


def test_a_volume_has_no_temporal_snr(run):
    parsed, text = page(*(volume[..., 0] for volume in run))
    assert "Temporal SNR" not in " ".join(parsed.text) and "Frame" not in " ".join(parsed.text)
    assert parsed.tags.count("img") == 9 + 2


def test_the_verdict_comes_first_and_its_numbers_are_not_repeated(run):
    pairs = dict(tsnr=Pair(25.0, np.inf), autocorrelation=Pair(0.0, np.nan), fwhm=Pair(np.nan, np.nan))
    numbers = dict(frames=5, noise=40.0, noise_from="differences of frames", removed=39.0, anatomy=0.002, anatomy_from="frames")
    verdict = Verdict(**numbers, **pairs, region="brain", anatomy_sd=1.7, keep_trained=0.95, keep_measured=0.934, spread=0.2)
    parsed, text = page(*run, verdict=verdict)
    words = " ".join(parsed.text)
    shown = ("all that changes over time removed", "activations are gone", "25.0 → ∞", "0 → –", "0.934", "power the same in every frame")
    assert not [part for part in shown if part not in words]
    assert text.index("Verdict: ") < text.index('<dl class="tiles">')
    assert "noise SD, estimated" not in text and "temporal SNR</dt>" not in text and "<h2>Temporal SNR" in text


def test_pictures_keep_the_proportions_of_millimetres(run):
    _, text = page(*(volume[..., 0] for volume in run))
    # 20 × 18 × 16 voxels of 2 × 2.5 × 3 mm.
    shares = re.findall(r"width:([\d.]+)%;aspect-ratio:([\d.]+)/([\d.]+)", text)
    assert [tuple(map(float, share)) for share in shares[::3]] == [
        pytest.approx((88.9, 40, 45), abs=0.1), pytest.approx((88.9, 40, 48), abs=0.1), pytest.approx((100, 45, 48), abs=0.1)
    ]  # fmt: skip


def test_a_result_that_equals_its_input_is_reported(run):
    parsed, _ = page(run[0], run[0])
    assert "nothing to draw" in " ".join(parsed.text)


def test_input_that_is_negative_everywhere_constant_or_has_nan_after_is_drawn(run):
    for before, after in ((-run[0], -run[1]), (np.ones((6, 5, 4), np.float32), np.zeros((6, 5, 4), np.float32)), (run[0], run[1] * np.nan)):
        parsed, _ = page(before, after)
        assert parsed.tags.count("img") >= 11
    assert "NaN or infinity in 28,800 voxels" in " ".join(parsed.text)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [0, 1])
def test_voxels_that_never_change_have_no_gain(run, constant):
    frozen = [volume.copy() for volume in run]
    frozen[constant][5:15, 5:15] = frozen[constant][5:15, 5:15, :, :1]
    _, text = page(*frozen)
    assert "nan" not in re.sub('base64,[^"]*', "", text) and re.search(r"<span>÷ [\d.]+</span><span>1</span><span>× [\d.]+</span>", text)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_an_affine_of_zeros_does_not_cost_the_page(run):
    before, after = (computed(data, np.diag([0.0, 0, 0, 1])) for data in run)
    parsed, _ = page(before, after)
    assert parsed.tags.count("img") == 2 * 9 + 4


def test_an_input_of_another_format_has_no_header_to_compare(run):
    parsed, _ = page(*run, fields=None)
    assert "The input is no NIfTI file" in " ".join(parsed.text)


def test_the_page_of_a_filled_gap_marks_it_and_makes_no_statistics_of_what_stood_there(run):
    noisy, clean = run
    missing = np.zeros(noisy.shape, bool)
    missing[4:8, 5:12, 6:9, 2] = True
    affine = phantoms.oblique_affine()
    after = Volume.from_array(np.where(missing, clean, noisy), affine)
    after.facts["missing"] = lambda t: missing[..., t]
    text = render(compared(Volume.from_array(np.where(missing, 0, noisy), affine), after), facts())
    words = " ".join(" ".join(Page(text).text).split())
    assert "voxels filled in 84 " in words and "frames with a gap 1 of 5" in words
    assert "Orange: voxels that were given as missing" in words and "before − after" not in words
    assert "Temporal SNR" not in words and "SD of the difference" not in words and "noise SD" not in words
    assert "filled in</h3>" in text
