"""python -m keras_mri.predict MODEL BIDS_DIR OUTPUT_DIR [participant]: every scan of a study, in the form of a BIDS App."""

import argparse
import contextlib
import json
import logging
import os.path
import pathlib
import shlex
import sys
import time
import typing

from keras_mri.cli import running, study_options
from keras_mri.cli.options import chosen_options
from keras_mri.cli.study_networks import Networks
from keras_mri.cli.study_plan import Plan, planned, remark_on_place
from keras_mri.config import Options
from keras_mri.errors import InputError, remark, remarks_kept
from keras_mri.io import nifti_writing
from keras_mri.io.bids.derivatives import carried, write_companions, write_dataset_description, write_sidecar
from keras_mri.io.bids.metadata import stem
from keras_mri.io.bids.names import kind_of
from keras_mri.io.bids.scans import facts_in
from keras_mri.io.locks import claimed
from keras_mri.io.nifti_reading import open_image
from keras_mri.io.whole_files import replacing
from keras_mri.report import provenance
from keras_mri.saving import hub
from keras_mri.systems import automatic, get_system
from keras_mri.systems.network_files import trained_modalities

_LOGGER = logging.getLogger(__name__)


class _Job(typing.NamedTuple):
    """What restoring each scan of a study takes."""

    parsed: argparse.Namespace
    plan: Plan
    restore: typing.Callable  # (checkpoint, image, **options) → Volume
    networks: Networks
    chosen: Options
    report: object  # StudyReport or None


def restore_study(line, typed, restore):
    """Restore the scans of a BIDS folder that are not yet restored; a scan that fails does not keep the others waiting.

    Parameters
    ----------
    line : keras_mri.cli.study_options.Line
    typed : list of str
        The arguments as typed after `python -m keras_mri.predict`.
    restore : callable
        `keras_mri.restore`.

    Returns
    -------
    int
        Exit status: 0, or 1 if any scan failed or something asked for by its label is not there.

    Raises
    ------
    InputError
        If the folder, the network or the options cannot be used at all.
    """
    parsed = study_options.parser(line.options).parse_all(line.arguments)
    networks = Networks(parsed.model, parsed.sha256)
    chosen = chosen_options(line.options, parsed)
    plan = planned(parsed, networks.path)
    if parsed.dry_run:
        _print_plan(plan, parsed, networks)
    else:
        command = ["python", "-m", "keras_mri.predict", *map(_without_folder, typed)]
        write_dataset_description(parsed.derivatives, parsed.study, shlex.join(command))
        failed = _restore_all(_job(parsed, plan, restore, networks, chosen))
    for text in plan.missing:
        _LOGGER.error("asked for and not found: %s", text)
    return 1 if plan.missing or not parsed.dry_run and failed else 0


def _without_folder(argument):
    """Return an argument of the command line with the name alone of a file or folder: neither --mask FILE nor --mask=FILE tells where."""
    if hub.is_address(argument.removeprefix("--model=")):
        return argument
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    return option + equals + pathlib.PurePath(value).name


def _print_plan(plan, parsed, networks):
    """Print which derivative each scan would have, with `auto` by which network, and the remarks that their names give reason for."""
    trained, kind = trained_modalities(networks.path) if networks.path else [], kind_of(plan.pairs[0][0])
    if trained and kind and kind not in trained:
        remark(networks.path, f"was trained on {', '.join(trained)} images, and would restore {kind} images")
    for scan, path in plan.pairs:
        remark_on_place(scan, parsed.study)
        there = " (there already)" if os.path.exists(path) and not parsed.overwrite else ""
        print(f"{scan.relative_to(parsed.study).as_posix()} -> {path}{there}{_choice_for(scan, parsed, networks)}")
    _LOGGER.info("%d scan(s); nothing was written", len(plan.pairs))


def _choice_for(scan, parsed, networks):
    """Return which network would be taken and why, in brackets; nothing where all scans have the same, or the scan cannot be read."""
    if networks.path is not None:
        return ""
    try:
        image = open_image(scan, parsed.replace_nonfinite)
        return f" ({automatic.choose(image).sentence})"
    except InputError as error:
        return f" (cannot be restored: {error})"


def _job(parsed, plan, restore, networks, chosen):
    with running.native_messages_held_back():
        get_system(networks.system)
    report = None
    if parsed.report:
        # Only here: nothing else of a study needs what it imports.
        from keras_mri.cli.study_report import StudyReport

        report = StudyReport(parsed, plan, chosen)
    return _Job(parsed, plan, restore, networks, chosen, report)


def _restore_all(job):
    """Restore the scans one by one; return how many failed."""
    counts = {"restored": 0, "there already": 0, "being made by another job": 0, "failed": 0}
    for number, (scan, path) in enumerate(job.plan.pairs, start=1):
        outcome = _attempt(scan, path, job)
        counts[outcome] += 1
        _LOGGER.info("[%d/%d] %s: %s", number, len(job.plan.pairs), scan.relative_to(job.parsed.study), outcome)
        if job.report:
            job.report.write_subject_after(scan)
    if job.report:
        job.report.write_index()
    print("; ".join(f"{count} {outcome}" for outcome, count in counts.items() if count), file=sys.stderr)
    return counts["failed"]


def _attempt(scan, path, job):
    """Restore one scan unless that is done or under way; return what became of it."""
    try:
        with claimed(path) as ours:
            if not ours:
                return "being made by another job"
            if path.exists() and not job.parsed.overwrite:
                _remark_on_another(path, job)
                return "there already"
            with _sidecar_of_its_image(path):
                _restore(scan, path, job)
            return "restored"
    except InputError as error:
        _LOGGER.error("%s failed: %s", scan, error)
        reason = str(error)
    except Exception as error:  # our bug, with its traceback; the other scans must not suffer from it
        _LOGGER.exception("%s failed", scan)
        reason = f"{type(error).__name__}: {error}"
    if job.report:
        job.report.add_failure(scan, running.in_flags(reason))
    return "failed"


@contextlib.contextmanager
def _sidecar_of_its_image(path):
    """Bring back the side-car that was there, or none, if the block fails or is interrupted before it has written the image."""
    sidecar, written = path.with_name(stem(path.name) + ".json"), _moment_of(path)
    before = sidecar.read_bytes() if sidecar.is_file() else None
    try:
        yield
    except BaseException:
        if _moment_of(path) == written and before is None:
            sidecar.unlink(missing_ok=True)
        elif _moment_of(path) == written:
            # On a full disk the reason is what the user must know.
            with contextlib.suppress(InputError), replacing(sidecar) as temporary:
                temporary.write_bytes(before)
        raise


def _moment_of(path):
    return path.stat().st_mtime_ns if path.exists() else None


def _remark_on_another(path, job):
    """Remark on a derivative that is there already and was made with another network or other options."""
    before = facts_in(path.with_name(stem(path.name) + ".json")).get("keras_mri")
    if not isinstance(before, dict):
        return
    if not job.networks.made(before):
        remark(path, f"is kept: it was made with another network, {before.get('network')}; replace it with --overwrite")
    elif before.get("options") != json.loads(json.dumps(job.chosen.to_json())):
        remark(path, "is kept: it was made with other options; replace it with --overwrite")


def _restore(scan, path, job):
    start, parsed = time.perf_counter(), job.parsed
    # Only here: scikit-image takes a second to import.
    from keras_mri.cli.judged import judge_of, tell

    with remarks_kept() as remarks, running.kept_messages() as messages:
        remark_on_place(scan, parsed.study)
        image = open_image(scan, parsed.replace_nonfinite)
        network = job.networks.of(image, job.chosen)
        restored = job.restore(network.checkpoint, image, **vars(job.chosen))
        taken = carried(image, restored)
        facts = {**network.made_by, "versions": provenance.versions()}
        # The image after it: where the image is, all of it is, but for the verdict and the remarks, which only the image's frames allow.
        write_companions(path, scan, taken)
        write_sidecar(path, scan, parsed.study, {**facts, "warnings": [*job.plan.remarks, *remarks]}, taken)
        reporter = job.report.reporter(image, restored, path, network) if job.report else None
        before, result = restored.source or image, reporter.watched() if reporter else restored
        judge = judge_of(before, result, parsed, restored.facts)
        nifti_writing.save(judge.watched() if judge else result, path, parsed.dtype)
    facts |= {name: restored.facts[name] for name in ("precision",) if name in restored.facts}
    facts["warnings"] = [*job.plan.remarks, *remarks]
    verdict = judge.verdict() if judge and judge.count else None
    if verdict:
        facts["verdict"] = verdict.to_json()
        tell(verdict, scan)
    write_sidecar(path, scan, parsed.study, facts, taken)
    if reporter:
        job.report.write_scan(reporter, path, time.perf_counter() - start, messages, verdict)
    _LOGGER.info("wrote %s in %.0f s", path, time.perf_counter() - start)
