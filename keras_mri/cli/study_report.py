"""The pages of a study: one beside each derivative, one for each subject with all of its scans, and an index."""

import logging

from keras_mri.io.bids.metadata import stem
from keras_mri.io.bids.scans import facts_in
from keras_mri.io.whole_files import replacing
from keras_mri.report.reporter import Prediction, Reporter
from keras_mri.report.study_page import Entry, body_of, render


class StudyReport:
    """Writes the pages of a study from what lies in the folder of its derivatives, so that several jobs and days may share it.

    Parameters
    ----------
    parsed : argparse.Namespace
        `study`, `derivatives`, `dtype`.
    plan : keras_mri.cli.study_plan.Plan
    options : Options
        Of the prediction.
    """

    def __init__(self, parsed, plan, options):
        self._parsed, self._plan, self._options = parsed, plan, options
        self._failures = {}

    def reporter(self, image, restored, path, network):
        """Return a Reporter of one scan, whose derivative is going to be `path`; `network` as `Networks.of` gives it."""
        used = dict(model=network.path, checkpoint=network.checkpoint, options=self._options)
        prediction = Prediction(written=path, dtype=self._parsed.dtype, without_folders=True, **used)
        return Reporter([image], restored, prediction)

    def write_scan(self, reporter, path, seconds, messages, verdict):
        """Write the page beside a derivative.

        Parameters
        ----------
        reporter : Reporter
            Of this derivative, whose frames have passed.
        path : pathlib.Path
            The derivative.
        seconds : float
        messages : list of (int, str)
        verdict : Verdict or None

        Raises
        ------
        InputError
            If it cannot be written.
        """
        general = [(logging.WARNING, text) for text in self._plan.remarks]
        # The folders of this computer say nothing to whoever gets the study.
        here = sorted((str(folder.absolute().parent) + "/" for folder in (self._parsed.study, self._parsed.derivatives)), key=len)
        shown = [(level, _without(text, [*here, f"{self._parsed.study}/", f"{self._parsed.derivatives}/"])) for level, text in messages]
        reporter.write(_page_of(path), seconds, [*general, *shown], verdict)

    def add_failure(self, scan, reason):
        """Keep, for the pages, why a scan failed."""
        text = _without(reason, [f"{self._parsed.study.absolute()}/", f"{self._parsed.study}/"])
        self._failures[scan.relative_to(self._parsed.study)] = text

    def write_subject_after(self, scan):
        """Write the page of a scan's subject, if this was its last scan."""
        subject = scan.relative_to(self._parsed.study).parts[0]
        last = [pair[0] for pair in self._plan.pairs if pair[0].relative_to(self._parsed.study).parts[0] == subject][-1]
        if scan == last:
            entries = self._entries(subject, with_bodies=True)
            self._write(self._parsed.derivatives / f"{subject}.html", render(subject, entries, remarks=self._of(subject)))

    def write_index(self):
        """Write `index.html`."""
        subjects = sorted(path.name for path in self._parsed.derivatives.glob("sub-*") if path.is_dir())
        entries = [entry for subject in subjects for entry in self._entries(subject)]
        there = {entry.subject for entry in entries if (self._parsed.derivatives / f"{entry.subject}.html").is_file()}
        missing = [f"asked for and not found: {text}" for text in self._plan.missing]
        remarks = [*self._plan.remarks, *self._plan.left_out, *missing]
        title = facts_in(self._parsed.derivatives / "dataset_description.json").get("Name", "a study")
        self._write(self._parsed.derivatives / "index.html", render(str(title), entries, remarks, pages=there))

    def _of(self, subject):
        """Return the remarks on scans of a subject that were left out."""
        return [text for text in self._plan.left_out if text.startswith(f"{subject}_")]

    def _entries(self, subject, with_bodies=False):
        """Return what the folder of the derivatives holds of a subject, and what failed."""
        folder, entries = self._parsed.derivatives, []
        for path in sorted((folder / subject).rglob("*.nii*")):
            made = facts_in(path.with_name(stem(path.name) + ".json")).get("keras_mri")
            if isinstance(made, dict) and not path.name.startswith("."):
                body = _body(path) if with_bodies else None
                entries.append(Entry(subject, path.relative_to(folder).as_posix(), made, body))
        failed = {scan: reason for scan, reason in self._failures.items() if scan.parts[0] == subject}
        return entries + [Entry(subject, scan.as_posix(), {"failed": reason}, None) for scan, reason in failed.items()]

    def _write(self, path, text):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _page_of(path):
    """Return the path of the page beside a derivative."""
    return path.with_name(stem(path.name) + ".html")


def _body(path):
    """Return the body of the page beside a derivative; None without one, or with one of an earlier derivative."""
    page = _page_of(path)
    if not page.is_file() or page.stat().st_mtime_ns < path.stat().st_mtime_ns:
        return None
    return body_of(page.read_text(encoding="utf-8", errors="replace"))


def _without(text, folders):
    for folder in folders:
        text = text.replace(folder, "")
    return text
