"""Feed the doors damaged and hostile files: python -m experiments.06_fuzz.fuzz [--door NAME] [--runs N] [--folder FOLDER].

Each door runs in a process of its own, guided by atheris (libFuzzer) through keras_mri and nibabel. A crash is anything but an
InputError, more than GROWTH of memory, or more than SECONDS for one input; each kind is kept once, with its input and traceback.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

# Of one input of at most LENGTH bytes.
GROWTH, SECONDS, LENGTH = 200, 10, 4096  # MB, s, bytes
# A million in all, about a minute and a half for each door on one core: an image that is accepted is also saved and read again.
RUNS = {
    "nifti": 20_000,
    "choice": 10_000,
    "nifti_gz": 10_000,
    "gzip": 30_000,
    "pair": 20_000,
    "mgh": 10_000,
    "mask": 30_000,
    "h5": 60_000,
    "description": 10_000,
    "events": 300_000,
    "labels": 210_000,
    "pairs": 300_000,
    "side_car": 30_000,
    "gradients": 20_000,
    "python": 50_000,
}


def main():
    """Fuzz one door, or all, and write results.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--door", help="one door only, named as in tests/doors.py (default: all)")
    parser.add_argument("--runs", type=int, help="inputs for each door (default: RUNS, a million in all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("fuzz"), help="for crashes and logs (default: fuzz)")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.here:
        _fuzz(options)
    from experiments.data import read_rows, write_rows
    from tests.doors import DOORS

    table = pathlib.Path(__file__).with_name("results.csv")
    rows = {row["door"]: row for row in (read_rows(table) if table.exists() else [])}
    for door in [options.door] if options.door else DOORS:
        rows[door] = _measured(door, options)
        print(rows[door], flush=True)
        write_rows(table, [rows[name] for name in DOORS if name in rows])


def _measured(door, options):
    """Fuzz a door in a process of its own, and return its row."""
    folder = options.folder / door
    command = [sys.executable, "-m", "experiments.06_fuzz.fuzz", "--here", "--door", door, "--runs", str(options.runs or RUNS[door])]
    log = options.folder / f"{door}.log"
    folder.mkdir(exist_ok=True)
    with open(log, "w") as file:
        status = subprocess.run([*command, "--seed", str(options.seed), "--folder", str(folder)], stderr=file, stdout=file).returncode
    said = log.read_text(errors="replace")
    done = re.search(r"Done (\d+) runs in (\d+) second", said)
    inputs = done[1] if done else (re.findall(r"^#(\d+)", said, re.MULTILINE) or ["0"])[-1]
    return {
        "door": door,
        "inputs": inputs,
        "seconds": done[2] if done else "",
        "crashes": len(list(folder.glob("*.txt"))),
        "ended": "complete" if done else f"status {status}, see its log",
    }


def _fuzz(options):
    """Fuzz one door in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=["keras_mri", "nibabel"]):
        from tests import doors
    doors.silence()
    corpus = pathlib.Path(tempfile.mkdtemp())
    for number, content in enumerate(doors.seeds(options.door)):
        (corpus / str(number)).write_bytes(content)
    words = corpus.with_suffix(".dict")
    words.write_text("\n".join(f'"{"".join(f"{chr(92)}x{byte:02x}" for byte in word)}"' for word in doors.WORDS))
    flags = [f"-runs={options.runs}", f"-seed={options.seed}", f"-timeout={SECONDS}", f"-max_len={LENGTH}", "-rss_limit_mb=2048"]
    atheris.Setup(
        [sys.argv[0], str(corpus), *flags, f"-dict={words}", f"-artifact_prefix={options.folder}/", "-print_final_stats=1"],
        _watched(doors.DOORS[options.door], options.folder),
    )
    atheris.Fuzz()


def _watched(door, folder):
    """Return the door as a function of bytes that keeps each kind of crash once, and goes on."""
    from experiments.data import peak_memory

    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    place, seen = pathlib.Path(tempfile.mkdtemp(dir=memory)), set()

    def run(content):
        before = peak_memory()
        try:
            for path in place.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            door(content, place)
            assert peak_memory() - before < GROWTH, f"{peak_memory() - before:.0f} MB for {len(content)} bytes"
        except Exception as error:  # that is what is looked for
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} {pathlib.Path(frame.filename).name}:{frame.lineno}"
            if kind not in seen:
                seen.add(kind)
                name = hashlib.sha256(kind.encode()).hexdigest()[:12]
                (folder / f"{name}.txt").write_text(kind + "\n" + traceback.format_exc())
                (folder / f"{name}.bin").write_bytes(content)

    return run


if __name__ == "__main__":
    main()
