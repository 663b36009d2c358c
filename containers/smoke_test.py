"""python -m containers.smoke_test: builds the image, restores a small study with it, and shows it what it must refuse.

Needs podman or docker, and the toolkit's requirements. Where no registry of images can be reached, --debootstrap makes the base image
of Debian's packages (as root). Options that only the machine at hand needs are handed on: --build-option, --run-option, --engine-option.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import typing

import nibabel
import numpy as np

from keras_mri.imaging import phantoms

ROOT = pathlib.Path(__file__).parents[1]
IMAGE, BASE = "localhost/keras-mri:smoke", "localhost/keras-mri-base:smoke"
# Nobody's: not that of the image, and without an entry in its /etc/passwd.
USER = 12345
_SCANS = ("sub-01/anat/sub-01_T1w", "sub-01/func/sub-01_task-rest_bold", "sub-02/func/sub-02_task-rest_bold")


class Case(typing.NamedTuple):
    """One run of the image: what is mounted, what is asked, and what must come of it."""

    title: str
    options: tuple
    words: str
    status: int
    says: str
    images: tuple = ()


def cases(bids, out, refused):
    """Yield the runs in their order: each has no network, a root file system that is read-only, and a user whom the image does not know."""
    study, writable = f"--volume={bids}:/bids:ro", f"--volume={out}:/out"
    participant, bold = "/bids /out participant --model", _SCANS[1:]
    yield Case("a study", (study, writable), f"{participant} epi", 0, "2 restored", bold)
    yield Case("the same again", (study, writable), f"{participant} epi", 0, "2 there already", bold)
    words = f"{participant} auto --report --participant-label 01"
    yield Case("auto, with pages", (study, writable), words, 0, "1 restored; 1 there already", _SCANS)
    yield Case("an output that is read-only", (study, f"--volume={refused}:/out:ro"), f"{participant} epi", 2, "/out is not writable")
    yield Case("no output mounted", (study,), f"{participant} epi", 2, "/out cannot be made: / is not writable")
    yield Case("no study mounted", (writable,), f"{participant} epi", 2, "/bids is not a folder")
    full = "--mount=type=tmpfs,destination=/out,tmpfs-size=32k,tmpfs-mode=1777"
    yield Case("an output that is full", (study, full), f"{participant} epi", 1, "2 failed")


def write_study(folder):
    """Write two people: a T1w volume of one, and a run of twelve frames of each."""
    run, *_ = phantoms.bold_run((24, 20, 16, 12))
    head = phantoms.head((24, 20, 16))[0] + np.random.default_rng(0).normal(0, 30, (24, 20, 16))
    for name in _SCANS:
        path = folder / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        data = head if name.endswith("T1w") else run
        image = nibabel.Nifti1Image(data.astype(np.float32), np.diag([3.0, 3, 3, 1]))
        image.header.set_zooms([3.0] * 3 + [2.0] * (data.ndim - 3))
        nibabel.save(image, path)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "phantoms", "BIDSVersion": "1.10.0"}))


def differences(case, ended, bids, out):
    """Yield what came out otherwise than a case wants it."""
    said = ended.stdout + ended.stderr
    if ended.returncode != case.status:
        yield f"exit status {ended.returncode}, not {case.status}"
    if case.says not in said or "Traceback" in said:
        yield f"said\n{said}"
    if case.status == 2 and said.count("error: ") != 1:
        yield f"{said.count('error: ')} messages, not one"
    results = {name.rpartition("_")[0] + "_desc-denoised_" + name.rpartition("_")[2]: name for name in case.images}
    for result, scan in results.items():
        before, after = nibabel.load(bids / f"{scan}.nii.gz"), nibabel.load(out / f"{result}.nii.gz")
        if after.shape != before.shape or not 0 < np.abs(after.get_fdata() - before.get_fdata()).max() < np.inf:
            yield f"{result} is no restored {scan}"
    found = {path.relative_to(out).as_posix().removesuffix(".nii.gz") for path in out.rglob("*.nii.gz")}
    if case.images and (found != set(results) or {path.stat().st_uid for path in out.rglob("*")} != {USER}):
        yield f"found {sorted(found)}, of the users {sorted({path.stat().st_uid for path in out.rglob('*')})}"


def make_base(engine, suite, mirror):
    """Make the base image of Debian's packages."""
    with tempfile.TemporaryDirectory(prefix="keras_mri_base_") as folder:
        packages = ["--variant=minbase", "--include=ca-certificates"]
        subprocess.run(["debootstrap", *packages, suite, f"{folder}/root", *([mirror] if mirror else [])], check=True)
        subprocess.run(["tar", "-C", f"{folder}/root", "-cf", f"{folder}/root.tar", "."], check=True)
        subprocess.run([*engine, "import", f"{folder}/root.tar", BASE], check=True)


def main():
    """Build, run every case, and return how many came out wrong."""
    parsed = _parser().parse_args()
    engine = [parsed.engine, *parsed.engine_option]
    if parsed.debootstrap:
        make_base(engine, parsed.debootstrap, parsed.mirror)
    if not parsed.image:
        base = [f"--build-arg=BASE={BASE}"] if parsed.debootstrap else []
        file = ["-f", ROOT / "containers" / "Containerfile", "-t", IMAGE]
        subprocess.run([*engine, "build", *parsed.build_option, *base, *file, ROOT], check=True)
    return _run_all([*engine, "run", "--rm", *parsed.run_option], parsed.image or IMAGE)


def _run_all(run, image):
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="keras_mri_smoke_") as folder:
        bids, out, refused = (pathlib.Path(folder) / name for name in ("bids", "out", "refused"))
        write_study(bids)
        out.mkdir()
        refused.mkdir()
        if os.geteuid() == 0:
            shutil.chown(out, USER, USER)
        pathlib.Path(folder).chmod(0o755)
        alike = ["--network=none", "--read-only", "--tmpfs=/tmp", f"--user={USER}:{USER}"]
        for case in cases(bids, out, refused):
            command = [*run, *alike, *case.options, image, *case.words.split()]
            ended = subprocess.run(command, capture_output=True, text=True)
            found = list(differences(case, ended, bids, out))
            print(f"{case.title}: {'; '.join(found) or 'as it should be'}", flush=True)
            wrong += bool(found)
    return wrong


def _parser():
    parser = argparse.ArgumentParser(prog="python -m containers.smoke_test", description=__doc__.split("\n\n")[0])
    parser.add_argument("--engine", default=shutil.which("podman") or "docker", help="podman or docker")
    parser.add_argument("--image", help="an image that is there, instead of building one")
    parser.add_argument("--debootstrap", metavar="SUITE", help="make the base image of this suite of Debian's packages: trixie")
    parser.add_argument("--mirror", metavar="URL", help="where debootstrap finds them")
    for name in ("engine", "build", "run"):
        parser.add_argument(
            f"--{name}-option", action="append", default=[], metavar="OPTION", help=f"more for {name}, as --{name}-option=…"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
