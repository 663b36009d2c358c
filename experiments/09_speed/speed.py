"""All systems, their bound, filters and backends on one machine in one run: python -m experiments.09_speed.speed

    taskset -c 0,1 python -m experiments.09_speed.speed                        # results.csv: half an hour on two cores
    python -m experiments.09_speed.speed --others OTHER_ENVIRONMENT/bin/python # JAX and PyTorch from another environment
    python -m experiments.09_speed.speed --size part                            # results.csv of 128 × 128 × 96 voxels and 40 frames
    python -m experiments.09_speed.speed --size tiny -o /tmp/tiny.csv          # a trial
    KERAS_BACKEND=jax python -m experiments.09_speed.speed --gpu -o gpu.csv    # our systems alone, on a GPU

Each case is a process of its own, one after the other. Cases that are in the table already are left out, so that a run can be continued.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

from experiments.data import read_rows, write_rows

_OURS = ("predict t1w", "predict run", "predict sr", "predict n2a", "sample ldm")
_BLOCKS = ("predict t1w, block", "predict run, block")
_FILTERS = ("BM4D, block", "DIPY NLM, block", "DIPY mppca, block", "patch-denoise, block")


def main(arguments=None):
    """Write results.csv; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.09_speed.speed", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=pathlib.Path, default=pathlib.Path(__file__).with_name("results.csv"))
    parser.add_argument("--repeats", type=int, default=3, help="calls after the first (default: 3)")
    parser.add_argument("--others", default=sys.executable, metavar="PYTHON", help="an interpreter that has JAX and PyTorch")
    parser.add_argument("--part", choices=("whole", "blocks"), help="only the whole scans of our systems, or only the blocks")
    parser.add_argument("--gpu", action="store_true", help="our systems in float32 alone, on the backend at hand")
    parser.add_argument("--size", choices=("whole", "part", "tiny"), default="whole", help="how much of each scan (default: whole)")
    chosen = parser.parse_args(arguments)
    rows = read_rows(chosen.output) if chosen.output.exists() else []
    there = {(row["case"], row["precision"], row["backend"]) for row in rows}
    for case, precision, backend in _of_gpu() if chosen.gpu else _planned(chosen.part, "auto" if chosen.size == "whole" else "bfloat16"):
        if (case, precision, backend) in there:
            continue
        rows.append(_row(case, precision, backend, chosen))
        print(rows[-1], flush=True)
        write_rows(chosen.output, rows)


def _planned(part, fast):
    """Return cases, precisions and backends, the quick ones first."""
    whole = [(case, precision, "tensorflow") for precision in (fast, "float32") for case in _OURS[:-1]] + [(_OURS[-1], "", "tensorflow")]
    blocks = [(case, precision, "tensorflow") for case in _BLOCKS for precision in ("float32", "bfloat16")]
    blocks += [(case, "", "") for case in _FILTERS]
    blocks += [(case, "float32", backend) for backend in ("torch", "jax") for case in _BLOCKS]
    return {None: whole + blocks, "whole": whole, "blocks": blocks}[part]


def _of_gpu():
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    return [(case, "" if case == "sample ldm" else "float32", backend) for case in _OURS]


def _row(case, precision, backend, chosen):
    """Measure one case in a process of its own; what fails is a row with the reason."""
    python = chosen.others if backend in ("jax", "torch") and not chosen.gpu else sys.executable
    command = [python, "-m", f"{__package__}.one", case, "--repeats", str(chosen.repeats)]
    command += ["--precision", precision] if precision else []
    command += ["--size", chosen.size]
    environment = {**os.environ, **({"KERAS_BACKEND": backend} if backend else {})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        return {"case": case, "precision": precision, "backend": backend, "failed": done.stderr.strip().splitlines()[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
