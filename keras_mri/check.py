"""python -m keras_mri.check IN OUT: the differences between the headers of two images."""

from keras_mri.cli import signals

if __name__ == "__main__":
    signals.leave_at_once()


import sys

from keras_mri.cli import running
from keras_mri.cli.streams import as_json
from keras_mri.io.header_comparison import STORAGE, compare_files


def main(arguments=None):
    """Print the fields that differ; see `--help`.

    Parameters
    ----------
    arguments : list of str, optional
        `sys.argv` without the program's name by default.

    Returns
    -------
    int
        0 if no field differs, 1 if one does, 2 if a file cannot be compared, 70 after a defect of ours.
    """
    return running.run(_check, arguments)


def _check(arguments):
    parsed = _parser().parse_all(arguments)
    fields = compare_files(parsed.first, parsed.second)
    differing = [field for field in fields if not field.equal and not (parsed.ignore_storage and field.name in STORAGE)]
    if parsed.json:
        print(as_json([field._asdict() for field in differing]))
    else:
        print("\n".join([*_lines(differing), _verdict(fields, differing)]))
    return 1 if differing else 0


def _lines(fields):
    width = max((len(field.name) for field in fields), default=0)
    for field in fields:
        why = f"   ({field.why})" if field.why else ""
        yield f"{field.name:{width}s}  {field.before or '(empty)'}  →  {field.after or '(empty)'}{why}"


def _verdict(fields, differing):
    ignored = sum(not field.equal for field in fields) - len(differing)
    text = f"{len(differing)} of {len(fields)} fields differ" if differing else f"{len(fields) - ignored} of {len(fields)} fields are equal"
    return f"{text}; {ignored} fields of number storage were ignored" if ignored else text


def _parser():
    parser = running.Parser(
        prog="python -m keras_mri.check",
        description="Compare the headers of two images, field by field; of two formats, what both hold. "
        "Exit status: 0 if equal, 1 if different, 2 for errors.",
        epilog="example: python -m keras_mri.check bold.nii.gz denoised.nii.gz --ignore-storage",
    )
    parser.add_argument("first", metavar="IN", help="NIfTI-1 or -2 (.nii, .nii.gz, .hdr with .img), MGH (.mgz, .mgh) or Analyze")
    parser.add_argument("second", metavar="OUT", help="image to compare with it")
    parser.add_argument("--ignore-storage", action="store_true", help=f"ignore the fields of number storage: {', '.join(STORAGE)}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
