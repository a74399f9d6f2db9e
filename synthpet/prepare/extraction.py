"""The brain of a full head in T1: the networks of deepbet, with its weights and without its code.

One network finds the brain's box in the whole image at 128^3, another of the same architecture the brain in the box at
256^3. The distribution ``deepbet`` is installed for its weights alone and never imported: its code would run
TorchScript. Its weights are read as plain numbers, and only if their SHA-256 is the known one.

Source: Fisch et al., deepbet, Computers in Biology and Medicine 179 (2024) 108845, and version 1.0.2 of the package
(MIT), whose output this equals.
"""

import zipfile
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from synthpet.cohort.files import sha256
from synthpet.cohort.images import Grid
from synthpet.errors import DataError, UsageError
from synthpet.prepare.brain import BRAIN_VOLUME_ML, has_brain_volume, largest_component, volume_ml

if TYPE_CHECKING:
    from torch import Tensor

    from synthpet.prepare.linknet import LinkNet3d

VERSION = "1.0.2"
INSTALL = f"pip install -c constraints.txt deepbet=={VERSION}"
BOX, BRAIN = "bbox_model.pt", "model.pt"
SHAPES = {BOX: (128, 128, 128), BRAIN: (256, 256, 256)}
SHA256 = {
    BOX: "39a7b2b5f799faa1391ea97bfcdc0b9299f20d84f2316a4ff8918dc4685e40aa",
    BRAIN: "de8ee7c69654d0dd3935dc4a5d84571d8ecf4637a6bfc01df399c4c2bc86e0fd",
}
DARK, BRIGHT = 0.005, 0.995  # quantiles of the head that become 0 and 1
LARGER = 1 + 2 * np.float32(0.1)  # a box with its margins; in this precision halves of a voxel round as they do there
LEAST_SHARE = 0.02  # of a plane, for a plane of the box


def extract_brain(t1w: NDArray[np.float32], grid: Grid, name: str) -> NDArray[np.bool_]:
    """The brain of a T1 with its skull: largest component, holes filled.

    Args:
        t1w: (I, J, K) on ``grid``, any unit; the head may lie in it as it likes.
        grid: the native grid.
        name: the subject and its file, for messages.

    Returns:
        (I, J, K) on ``grid``.

    Raises:
        DataError: no brain is found, or none of a brain's volume.
        UsageError: the weights are not installed, or not those that are known.
    """
    orientation = nib.io_orientation(grid.matrix)
    share = brain_share(nib.apply_orientation(t1w, orientation), name)
    found = largest_component(share > 0.5) if (share > 0.5).any() else np.zeros(share.shape, bool)
    if not has_brain_volume(found, grid):
        low, high = BRAIN_VOLUME_ML
        raise DataError(
            f"E_NO_BRAIN {name}: not skull-stripped, and {volume_ml(found, grid):.0f} mL are found to be brain; "
            f"expected {low:.0f} to {high:.0f} mL. Look whether it is the T1 of a whole head, or give masks of another "
            "tool: brain_mask='derivatives/<tool>/{participant_id}/**/*_mask.nii.gz'"
        )
    back = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), orientation)
    return np.ascontiguousarray(nib.apply_orientation(found, back))


def brain_share(head: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """How much of each voxel is brain, 0 to 1, (I, J, K), of a head whose axes run right, front, up."""
    import torch

    x = torch.from_numpy(np.ascontiguousarray(head)).float()
    small = _resampled(x, SHAPES[BOX])
    low, high = small.quantile(DARK), small.quantile(BRIGHT)
    if not high > low:
        raise DataError(f"E_CONSTANT {name}: nearly constant; expected an anatomical image")
    with torch.inference_mode():
        share = torch.zeros_like(x)
        if (box := _box(network(BOX)(_scaled(small, low, high)[None, None])[0].numpy() > 0.5, x.shape)) is not None:
            found = network(BRAIN)(_scaled(_resampled(x[box], SHAPES[BRAIN]), low, high)[None, None])[0]
            share[box] = _resampled(found, share[box].shape)
    return share.numpy()


def _resampled(x: "Tensor", shape: tuple[int, ...]) -> "Tensor":
    from torch.nn.functional import interpolate

    return interpolate(x[None, None], tuple(shape), mode="nearest-exact")[0, 0]


def _scaled(x: "Tensor", low: "Tensor", high: "Tensor") -> "Tensor":
    """As the networks were trained: 0 to 1, then the mean and spread of ImageNet's green."""
    x = ((x - low) / (high - low)).clamp(0, 1)
    return 0.226 * (x - x.mean()) / x.std() + 0.449


def _box(rough: NDArray[np.bool_], shape: tuple[int, ...]) -> tuple[slice, ...] | None:
    """Where the brain lies in an image of ``shape``, with a margin; None: nowhere. ``rough``: in the small image."""
    labels, n_found = ndimage.label(rough, np.ones((3, 3, 3)))
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel(), minlength=2)[1:])
    box = []
    for axis, n in enumerate(shape):
        planes = np.flatnonzero(largest.mean(axis=tuple({0, 1, 2} - {axis})) > LEAST_SHARE)
        if not n_found or not planes.size:
            return None
        scale = n / rough.shape[axis]
        middle = np.round(scale * (planes[0] + planes[-1] + 1) / 2)
        size = np.round(LARGER * np.float32(scale) * (planes[-1] + 1 - planes[0]))
        box.append(slice(max(0, int(middle - size / 2)), min(n, int(middle + size / 2))))
    return tuple(box)


@cache
def network(name: str) -> "LinkNet3d":
    """One of the two networks with its weights, ready.

    Raises:
        UsageError: the weights are not installed, or not those that are known.
    """
    import torch

    from synthpet.prepare.linknet import LinkNet3d

    made = LinkNet3d().eval()
    with zipfile.ZipFile(weights_file(name)) as archive:
        root = archive.namelist()[0].partition("/")[0]
        for k, parameter in enumerate(made.parameters()):
            numbers = np.frombuffer(archive.read(f"{root}/data/{k}"), "<f4").reshape(parameter.shape)
            parameter.data = torch.from_numpy(numbers.copy())
    return made


def weights_file(name: str) -> Path:
    """Where the weights of a network are installed.

    Raises:
        UsageError: they are not, or not those that are known; with the command that mends it.
    """
    advice = f"run `{INSTALL}`, or give brain_mask= or brain_mask_command="
    try:
        found = distribution("deepbet")
    except PackageNotFoundError as error:
        raise UsageError(
            f"a T1 with its skull needs the weights of deepbet {VERSION}, not installed; {advice}"
        ) from error
    path = Path(str(found.locate_file(f"data/models/{name}")))
    if not path.is_file() or sha256(path) != SHA256[name]:
        raise UsageError(f"{path}: not the weights of deepbet {VERSION} (installed: {found.version}); {advice}")
    return path
