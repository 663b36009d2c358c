import gzip

import nibabel
import numpy as np
import pytest


@pytest.fixture
def altered(tmp_path):
    """Return a function that writes a file with 3 mm voxels, and then the header fields named, whatever they say."""

    def write(data, name="scan.nii", kind=nibabel.Nifti1Image, rest=b"", affine=None, **fields):
        path = tmp_path / name
        image = kind(np.asarray(data, np.float32), np.diag([-3.0, 3.0, 3.0, 1.0]) if affine is None else affine)
        image.header.set_xyzt_units("mm", "sec")
        nibabel.save(image, path)
        content = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
        size = kind.header_class.sizeof_hdr
        header = kind.header_class(content[:size], check=False)
        for field, value in fields.items():
            # A dict changes single entries of a field.
            for place, entry in value.items() if isinstance(value, dict) else [(..., value)]:
                header[field][place] = entry
        content = header.binaryblock + content[size:] + rest
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write
