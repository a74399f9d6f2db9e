"""An asymmetric image and what a scanner's software or an accident can make of it."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthpet.cohort import Grid

GRID = Grid.of((7, 8, 9), np.array([[2.0, 0, 0, -7], [0, 2.0, 0, -9], [0, 0, 2.5, -11], [0, 0, 0, 1]]))


def asymmetric() -> np.ndarray:
    """A volume whose right and left, front and back, top and bottom differ."""
    data = np.random.default_rng(5).uniform(0.5, 1.5, GRID.shape).astype(np.float32)
    data[5:, 1:3, 6:] += 3  # right, behind, above
    return data


def plain(data: np.ndarray | None = None, **fields: object) -> bytes:
    """An uncompressed NIfTI with both forms set; ``fields`` of the header are overwritten as they are."""
    data = asymmetric() if data is None else data
    image = nib.Nifti1Image(data, GRID.matrix)
    image.header.set_xyzt_units("mm")
    image.set_sform(GRID.matrix, code=1)
    image.set_qform(GRID.matrix, code=1)
    content = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    return bytes(content)


@pytest.fixture
def save(tmp_path):
    """Write bytes under a name, compressed where the name says so; give the path."""

    def write(content: bytes, name: str = "image.nii") -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write
