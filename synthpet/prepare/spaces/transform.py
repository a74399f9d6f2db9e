"""The spatial transform between a person's T1 and the template: kept in files that ANTs and SimpleITK read."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the library's customary name
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.cohort.images import check_stream
from synthpet.errors import DiskError

AFFINE, WARP, INVERSE_WARP = "affine.tfm", "warp.nii.gz", "inverse_warp.nii.gz"
SCARCE_BYTES = 100_000_000  # a warp needs as many
RIGID = {"pet": "pet.tfm", "flair": "flair.tfm"}  # images of the same head that lie on another grid


@dataclass(frozen=True)
class Transform:
    """An affine and, after a nonlinear registration, a displacement field and its inverse.

    All in LPS+ millimetres, as ITK has it. A point of the template goes through ``warp``, then through
    ``affine``, and is then in the native T1; back through the inverse affine, then ``inverse_warp``.
    From the native T1 a point goes through ``rigid["pet"]`` into the native PET, ``rigid["flair"]`` into the FLAIR.
    """

    affine: sitk.AffineTransform
    warp: sitk.Image | None = None
    inverse_warp: sitk.Image | None = None
    rigid: Mapping[str, sitk.Euler3DTransform] = field(default_factory=dict)

    @classmethod
    def of(
        cls, affine: sitk.Transform, warp: sitk.Image | None = None, inverse_warp: sitk.Image | None = None
    ) -> "Transform":
        """From ITK's parts; ``affine`` is an affine or a rigid transform by content, whatever its Python type."""
        return cls(_as_affine(affine), warp, inverse_warp)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The affine's linear part, (3, 3), template to native."""
        return np.reshape(self.affine.GetMatrix(), (3, 3))

    @property
    def template_to_native(self) -> sitk.Transform:
        """Maps points of the template to the native T1: what brings the native *image* onto the template."""
        return self.affine if self.warp is None else sitk.CompositeTransform([self.affine, _field(self.warp)])

    def template_to(self, kind: str) -> sitk.Transform:
        """Maps points of the template to the native image of ``kind``: ``pet`` or ``flair``."""
        parts = [self.rigid[kind], self.affine]
        return sitk.CompositeTransform(parts if self.warp is None else [*parts, _field(self.warp)])

    @property
    def native_to_template(self) -> sitk.Transform:
        """Maps native points to the template: what brings an image of the template onto the native T1."""
        back = self.affine.GetInverse()
        if self.inverse_warp is None:
            return back
        return sitk.CompositeTransform([_field(self.inverse_warp), back])

    def write(self, folder: Path) -> list[Path]:
        """Write ``affine.tfm`` and, where there are, the warps and the rigid transforms of other images.

        Raises:
            DiskError: the disk of temporary files is full, for which ITK has no words.
        """
        written = []
        parts = {AFFINE: self.affine, WARP: self.warp, INVERSE_WARP: self.inverse_warp}
        parts |= {RIGID[kind]: rigid for kind, rigid in self.rigid.items()}
        with tempfile.TemporaryDirectory() as temporary:
            for name, part in parts.items():
                draft = Path(temporary, name)
                if part is None:
                    continue
                _write(part, draft)
                written.append(write_bytes(folder / name, draft.read_bytes()))
        return written

    @classmethod
    def read(cls, folder: Path) -> "Transform":
        """Read what ``write`` wrote."""
        with _named_plainly(folder) as plain:
            warps = (
                sitk.ReadImage(str(plain / check_stream(path).name), sitk.sitkVectorFloat32) if path.is_file() else None
                for path in (folder / WARP, folder / INVERSE_WARP)
            )
            found = cls.of(sitk.ReadTransform(str(plain / AFFINE)), *warps)
            there = {kind: plain / name for kind, name in RIGID.items() if (folder / name).is_file()}
            rigid = {kind: sitk.Euler3DTransform(sitk.ReadTransform(str(path))) for kind, path in there.items()}
        return replace(found, rigid=rigid)


@contextmanager
def _named_plainly(folder: Path) -> Iterator[Path]:
    """The folder under a name that ITK can open: it takes paths as UTF-8, and a folder's name can be any bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        link = Path(temporary, "transforms")
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link


def _write(part: sitk.Transform | sitk.Image, path: Path) -> None:
    try:
        if isinstance(part, sitk.Transform):
            sitk.WriteTransform(part, str(path))
        else:
            sitk.WriteImage(part, str(path), useCompression=True, compressionLevel=4)
    except RuntimeError as error:
        free = shutil.disk_usage(path.parent).free
        if free > SCARCE_BYTES:
            raise
        raise DiskError(f"{path} could not be written: {free:,} bytes free; set TMPDIR to a disk with space") from error


def _as_affine(transform: sitk.Transform) -> sitk.AffineTransform:
    """The same map as an AffineTransform, whatever kind of linear transform it is."""
    linear = transform.Downcast()
    found = sitk.AffineTransform(3)
    found.SetCenter(linear.GetCenter())
    found.SetMatrix(linear.GetMatrix())
    found.SetTranslation(linear.GetTranslation())
    return found


def _field(displacement: sitk.Image) -> sitk.DisplacementFieldTransform:
    """A transform from a copy: SimpleITK empties the image that it is given."""
    return sitk.DisplacementFieldTransform(sitk.Cast(displacement, sitk.sitkVectorFloat64))
