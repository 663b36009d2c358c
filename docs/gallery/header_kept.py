"""Keep every field of the header

A scan with an oblique affine, two transforms, units, a description and scaled integers goes through a network. `compare_headers`
lists what differs: the fields of the numbers' type, and nothing else.
"""

import tempfile
import textwrap

import nibabel
import numpy as np
from drawing import pyplot, save

import keras_mri
from keras_mri.imaging import phantoms

head, _ = phantoms.head((40, 44, 30))
noisy = head + np.random.default_rng(0).normal(0, 30, head.shape)
scan = nibabel.Nifti1Image(noisy.astype(np.int16), phantoms.oblique_affine())
scan.header.set_slope_inter(0.5, 10.0)
scan.header.set_xyzt_units("mm", "sec")
scan.header["descrip"], scan.header["cal_max"] = b"a drawn head", 900
scan.set_qform(scan.affine, code="scanner")
scan.set_sform(scan.affine, code="aligned")

with tempfile.TemporaryDirectory() as folder:
    before, after = f"{folder}/before.nii.gz", f"{folder}/after.nii.gz"
    nibabel.save(scan, before)
    keras_mri.restore("epi", before).save(after)
    changed = {field.name: field for field in keras_mri.compare_headers(before, after)}
    headers = [nibabel.load(path).header for path in (before, after)]

rows = [["field", "before", "after", "why"]]
for name in ("dim", "pixdim", "qform_code", "sform_code", "srow_x", "xyzt_units", "descrip", "cal_max", *changed):
    field = changed.get(name)
    values = [field.before, field.after] if field else [np.array2string(header[name], precision=2, separator=" ") for header in headers]
    rows.append([name, *(str(value).removeprefix("b").strip("'")[:30] for value in values), field.why if field else "equal"])
print(f"{len(headers[0].keys()) - len(changed)} of {len(headers[0].keys())} fields are equal")

figure, axis = pyplot.subplots(figsize=(8, 0.24 * len(rows)), layout="constrained")
axis.set_axis_off()
for line, row in enumerate(rows):
    style = {"weight": "bold"} if line == 0 else {"color": "C3" if row[0] in changed else "black"}
    for place, text in zip((0, 0.15, 0.43, 0.71), row):
        axis.text(place, 1 - (line + 0.5) / len(rows), textwrap.shorten(text, 42, placeholder=" …"), fontsize=8, va="center", **style)
save(figure, __file__)
