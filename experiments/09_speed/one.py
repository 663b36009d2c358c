"""One case in a process of its own: python -m experiments.09_speed.one "predict t1w" --precision auto

Prints a line of JSON. The first call compiles and is told apart; the others have a median. The scan is in memory; reading and writing are
not timed. Beside the time on the clock that of the processor's cores together, which other work on the machine hardly changes. Memory is
the largest of the process, the framework included.
"""

import argparse
import json
import os
import statistics

from experiments.data import method_memory

from . import bare, cases


def main(arguments=None):
    """Print the row of one case; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m experiments.09_speed.one", description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=cases.NAMES)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=3, help="calls after the first (default: 3)")
    parser.add_argument("--size", choices=tuple(cases.SIZES), default="whole", help="how much of the scan (default: whole)")
    parser.add_argument("--no-bound", action="store_true", help="leave out the convolutions by themselves")
    print(json.dumps(measured(parser.parse_args(arguments))))


def measured(chosen):
    """Return the row of a case: dict."""
    case = cases.build(chosen.case, chosen.precision, chosen.size)
    with method_memory() as memory:
        with bare.recorded() as batches:
            first, _ = bare.timed(case.work)
        seconds, busy = zip(*(bare.timed(case.work) for _ in range(chosen.repeats)))
    median, processor = statistics.median(seconds), statistics.median(busy)
    row = {
        "case": chosen.case,
        "precision": chosen.precision or "",
        "backend": _backend() if batches else "",
        "device": _device() if batches else "",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "million voxels": case.voxels / 1e6,
        "frames": case.frames,
        "first s": first,
        "median s": median,
        "least s": min(seconds),
        "most s": max(seconds),
        "calls": len(seconds),
        "processor s": processor,
        "s per million voxels": median / case.voxels * 1e6,
        "frames or volumes per s": case.frames / median,
        "peak MB": memory.peak_mb,
    }
    if batches and not chosen.no_bound and _backend() == "tensorflow":
        taken = [(times, bare.seconds_of(network, shape)) for (_, shape), (network, times) in batches.items()]
        row["convolutions s"], row["convolutions, processor s"] = (sum(times * each[which] for times, each in taken) for which in (0, 1))
        row["share of the bound"] = row["convolutions s"] / median
        row["share, processor time"] = row["convolutions, processor s"] / processor
    return row


def _backend():
    import keras

    return keras.backend.backend()


def _device():
    import keras

    # Keras lists no devices of PyTorch.
    return "cpu:0" if keras.backend.backend() == "torch" else keras.distribution.list_devices()[0]


if __name__ == "__main__":
    main()
