"""A scan restored in a Nipype workflow: `Predict`, which runs `python -m keras_mri.predict` in a process of its own.

A process of its own gives its memory back, and TensorFlow does not survive the forks of Nipype's plugins.
"""

import dataclasses
import os
import shlex
import sys

from keras_mri.io import nifti_writing
from keras_mri.systems import get_settings

try:
    from nipype.interfaces.base import CommandLine, CommandLineInputSpec, File, InputMultiObject, TraitedSpec, isdefined, traits
    from nipype.utils.filemanip import split_filename
except ImportError as error:
    raise ImportError('keras_mri.interfaces.nipype needs nipype: pip install "keras-mri-toolkit[nipype]"') from error

# The options of prediction that the inputs below name, wherever they belong.
_FIELDS = {field.name: field for system in ("sr", "wgan") for field in dataclasses.fields(get_settings(system).PredictConfig)}
# Files that are written besides the result where they are asked for.
_FURTHER = ("residual", "noise_map", "report")


def _one_of(name):
    return traits.Enum(*_FIELDS[name].metadata["choices"], argstr=f"--{name.replace('_', '-')} %s", desc=_FIELDS[name].metadata["help"])


def _three(name):
    flag = f"--{name} %d %d %d"
    return traits.Tuple(traits.Int, traits.Int, traits.Int, argstr=flag, desc=_FIELDS[name].metadata["help"])


class PredictInputs(CommandLineInputSpec):
    """Inputs of `Predict`: those of the command, by the names of its options."""

    model = traits.Str(
        "auto", usedefault=True, argstr="%s", position=0, desc="name of a pre-trained network, its file, or auto, which looks at the scan"
    )
    in_file = InputMultiObject(File(exists=True), mandatory=True, argstr="%s", position=1, desc="scan; for n2a all its repetitions")
    out_file = File(genfile=True, argstr="-o %s", desc="image to write (default: NAME_restored.nii.gz in the node's folder)")
    residual = File(argstr="--residual %s", desc="also write what was removed, input − output")
    noise_map = File(argstr="--noise-map %s", desc="also write the estimated noise SD of each voxel; needs a run")
    report = File(argstr="--report %s", desc="also write a page that shows the restoration, .html")
    mask = File(exists=True, argstr="--mask %s", desc=_FIELDS["mask"].metadata["help"])
    mirror = _one_of("mirror")
    precision = _one_of("precision")
    slice_profile = _one_of("slice_profile")
    tile = _three("tile")
    upsample = _three("upsample")
    voxel = traits.Float(argstr="--voxel %g", desc=_FIELDS["voxel"].metadata["help"])
    tr = traits.Float(argstr="--tr %g", desc=_FIELDS["tr"].metadata["help"])
    keep_bias = traits.Bool(argstr="--keep-bias", desc=_FIELDS["keep_bias"].metadata["help"])
    dtype = traits.Enum(*nifti_writing.DTYPES, argstr="--dtype %s", desc="data type of the output")
    replace_nonfinite = traits.Bool(argstr="--replace-nonfinite", desc="read NaN and infinity as 0")
    sha256 = traits.Str(argstr="--sha256 %s", desc="refuse the network's file unless it has this SHA-256")
    strict = traits.Bool(argstr="--strict", desc="fail if anatomy was removed, or next to nothing")
    overwrite = traits.Bool(argstr="--overwrite", desc="replace existing files")


class PredictOutputs(TraitedSpec):
    """Outputs of `Predict`; the last three where they were asked for."""

    out_file = File(exists=True, desc="restored scan, on the grid and in the unit of the scan")
    residual = File(exists=True, desc="what was removed")
    noise_map = File(exists=True, desc="estimated noise SD of each voxel")
    report = File(exists=True, desc="page that shows the restoration")


class Predict(CommandLine):
    """Restore a scan with a trained network.

    Parameters
    ----------
    **inputs
        See `PredictInputs`; options that are not among them, such as those of `ldm`, go into `args`.

    Raises
    ------
    RuntimeError
        While it runs, if the command fails, with its message.

    Examples
    --------
    >>> from keras_mri.interfaces.nipype import Predict  # doctest: +SKIP
    >>> Predict(model="epi", in_file="bold.nii.gz", out_file="restored.nii.gz").run()  # doctest: +SKIP
    """

    _cmd = f"{sys.executable} -m keras_mri.predict"
    input_spec = PredictInputs
    output_spec = PredictOutputs

    def _format_arg(self, name, spec, value):
        """Quote every word for the shell through which Nipype runs commands, once."""
        if name == "in_file":
            return " ".join(map(shlex.quote, value))
        if isinstance(value, str) and name != "args":
            return spec.argstr % shlex.quote(value)
        return super()._format_arg(name, spec, value)

    def _run_interface(self, runtime):
        """Run the command; Nipype itself would only find that its result is missing."""
        runtime = super()._run_interface(runtime)
        if runtime.returncode:
            message = str(runtime.stderr or "").strip()
            raise RuntimeError(f"{message}\n(exit status {runtime.returncode} of {runtime.cmdline})")
        return runtime

    def _gen_filename(self, name):
        return f"{split_filename(self.inputs.in_file[0])[1]}_restored.nii.gz" if name == "out_file" else None

    def _list_outputs(self):
        out_file = self.inputs.out_file if isdefined(self.inputs.out_file) else self._gen_filename("out_file")
        asked = {name: value for name, value in self.inputs.get().items() if name in _FURTHER and isdefined(value)}
        return {name: os.path.abspath(path) for name, path in {"out_file": out_file, **asked}.items()}
