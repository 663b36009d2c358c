import re

from keras_mri.report.study_page import Entry, body_of, render

VERDICT = {"verdict": "noise removed", "noise": 10.0, "removed": 8.0}


def cells(page):
    """Return the rows of a page's table as lists of text."""
    rows = re.findall(r"<tr>\n(.*?)</tr>", page.split("<tbody>")[1].split("</tbody>")[0], re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def test_the_page_of_a_subject_shows_each_of_its_scans():
    made = {"network": "n.h5", "verdict": VERDICT, "warnings": ["a.nii: is small"]}
    entries = [
        Entry("sub-01", "sub-01/func/a.nii.gz", made, "<h1>page of a</h1>"),
        Entry("sub-01", "sub-01/func/b.nii.gz", {"network": "n.h5", "warnings": []}, None),
        Entry("sub-01", "sub-01/func/c.nii.gz", {"failed": "c.nii.gz is <no> image"}, None),
    ]
    page = render("sub-01", entries, ["p.nii: left out"])
    assert cells(page) == [
        ["sub-01/func/a.nii.gz", "noise removed", "10.0", "8.00", "0.80", "n.h5", "a.nii: is small"],
        ["sub-01/func/b.nii.gz", "no verdict", "–", "–", "–", "n.h5", "none"],
        ["sub-01/func/c.nii.gz", "failed", "–", "–", "–", "–", "c.nii.gz is &lt;no&gt; image"],
    ]
    assert "<h1>page of a</h1>" in page and "Restored without a page" in page and "Failed: c.nii.gz is &lt;no&gt; image" in page
    assert all(f'href="#scan-{n}"' in page and f'id="scan-{n}"' in page for n in range(3)) and "p.nii: left out" in page


def test_the_index_leads_to_the_pages_there_are():
    entries = [Entry("sub-CON-01", "x.nii.gz", {"verdict": VERDICT}, None), Entry("sub-b", "y.nii.gz", {}, None)]
    page = render("a <study>", entries, pages={"sub-CON-01"})
    assert 'href="sub-CON-01.html">sub-CON-01</a>' in page and 'href="sub-b.html"' not in page
    assert "<h1>a &lt;study&gt;</h1>" in page and "2 scans of 2 subject(s)" in page


def test_side_cars_that_others_wrote_do_no_harm():
    odd = {"verdict": [1], "warnings": "text", "network": None}
    page = render(
        "sub-01", [Entry("sub-01", "x.nii.gz", odd, None), Entry("sub-01", "y", {"verdict": {"noise": "<b>", "removed": 1}}, None)]
    )
    assert [row[1] for row in cells(page)] == ["no verdict", "no verdict"]


def test_a_body_is_taken_from_pages_alone():
    assert body_of("<html><main>\n<p>text</p>\n<footer>end</footer></main>") == "\n<p>text</p>\n"
    assert body_of("<html>") is None and body_of("") is None
