"""Errors of bids-validator-deno in a study and in its derivatives, by data type: python -m experiments.08_bids.validate VALIDATOR

VALIDATOR is the program `bids-validator-deno`. The study is made in a temporary folder and restored by the commands.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

from experiments.data import write_rows

from . import raw_study

# Modality, data type, network.
_RESTORED = (("bold", "func", "run"), ("T1w", "anat", "t1w"), ("dwi", "dwi", "run"), ("asl", "perf", "run"))


def main(validator):
    """Write results.csv: dataset, data type, images, errors and warnings of the validator, and the codes of the errors.

    Parameters
    ----------
    validator : str
        Path of the program.
    """
    with tempfile.TemporaryDirectory() as folder:
        study = raw_study.make_study(pathlib.Path(folder) / "study")
        derivatives = study.with_name("derivatives")
        for modality, _, network in _RESTORED:
            words = [network, study, derivatives, "participant", "--modality", modality, "--report"]
            subprocess.run([sys.executable, "-m", "keras_mri.predict", *map(str, words)], check=True)
        rows = [row for dataset in (study, derivatives) for row in _rows(validator, dataset)]
    for row in rows:
        print(row, flush=True)
    write_rows(pathlib.Path(__file__).with_name("results.csv"), rows)


def _rows(validator, dataset):
    done = subprocess.run([validator, "--format", "json", str(dataset)], capture_output=True, text=True)
    issues = collections.defaultdict(list)
    for issue in json.loads(done.stdout)["issues"]["issues"]:
        parts = pathlib.PurePosixPath(issue["location"]).parts
        datatype = parts[2] if len(parts) > 3 and parts[1].startswith("sub-") else "the folder itself"
        issues[datatype].append(issue)
    for modality, datatype, _ in (*_RESTORED, ("", "the folder itself", "")):
        count = len(list(dataset.glob(f"sub-*/{datatype}/*_{modality}.nii.gz")))
        errors = [issue for issue in issues[datatype] if issue["severity"] == "error"]
        codes = sorted({" ".join([issue["code"], issue.get("subCode", "")]).strip() for issue in errors})
        yield {
            "dataset": dataset.name,
            "data type": datatype,
            "images": count or "",
            "errors": len(errors),
            "warnings": len(issues[datatype]) - len(errors),
            "codes of the errors": "; ".join(codes),
        }


if __name__ == "__main__":
    main(*sys.argv[1:])
