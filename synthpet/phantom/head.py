"""What lies around the brain in a T1: skull, scalp, eyes, face and neck, so that raw scans look as scanners send them.

Not in a paper: all shapes and brightnesses; white matter is 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from synthpet.phantom.fields import Lattice

AROUND_MM = 60.0  # of head around the box of the anatomy
FLUID, BONE, MARROW, FAT, MUSCLE, VITREOUS, SKIN = 0.22, 0.06, 0.45, 1.15, 0.5, 0.18, 0.7
SKULL_MM, SCALP_MM, SKIN_MM = 1.5, 7.5, 12.5  # where they begin, from the brain
HEAD_MM = 14.5  # where it ends
EYES_MM, EYE_MM, SOCKET_MM = ((-32.0, 60.0, -38.0), (32.0, 60.0, -38.0)), 12.0, 19.0  # centres, radii
FACE_MM, FACE_SIZE_MM = (0.0, 42.0, -78.0), (58.0, 50.0, 62.0)
NECK_MM, NECK_SIZE_MM, CORD_MM, CANAL_MM = (0.0, -35.0), (58.0, 66.0), 6.0, 10.0
BASE_MM = -68.0  # below: neck only
TEXTURE, TEXTURE_MM = 0.25, 12.0  # of muscle and marrow: standard deviation of the log, and its width


@dataclass(frozen=True)
class Head:
    """T1 of a whole head, and the space within its skull (brain and fluid), (I, J, K) each on ``lattice``."""

    signal: NDArray[np.float32]
    within_skull: NDArray[np.bool_]
    lattice: Lattice


def with_head(
    signal: NDArray[np.float32], inside: NDArray[np.bool_], lattice: Lattice, rng: np.random.Generator
) -> Head:
    """A whole head around a brain.

    Args:
        signal: T1 of the brain, (I, J, K) on ``lattice``; white matter about 1.
        inside: what skull stripping would leave of it.
        lattice: of both, RAS+ near the template's space.
        rng: source of randomness.
    """
    n = round(AROUND_MM / lattice.spacing_mm)
    origin_mm = tuple(o - n * lattice.spacing_mm for o in lattice.origin_mm)
    wide = Lattice(tuple(s + 2 * n for s in lattice.shape), origin_mm, lattice.spacing_mm)  # type: ignore[arg-type]
    brain = np.pad(inside, n)
    coarse = wide.resampled(4.0)
    texture, thicker = (coarse.resample(coarse.random_field(rng, mm), wide) for mm in (TEXTURE_MM, 40.0))
    # about a millimetre further here, nearer there
    skull_mm = distance_transform_edt(~brain, sampling=lattice.spacing_mm) + 0.5 * thicker
    head = np.where(brain, np.pad(signal, n), _around(skull_mm, wide, texture)).astype(np.float32)
    return Head(head, brain | (skull_mm < SKULL_MM), wide)


def _around(skull_mm: NDArray[np.float64], lattice: Lattice, texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness (I, J, K) of everything but the brain, by the distance from it; air is 0."""
    soft, marrow = (value * np.exp(TEXTURE * texture) for value in (MUSCLE, MARROW))
    head = np.select(
        [skull_mm < SKULL_MM, skull_mm < SKULL_MM + 1.5, skull_mm < SCALP_MM - 1.5, skull_mm < SCALP_MM,
         skull_mm < SKIN_MM, skull_mm < HEAD_MM],
        [FLUID, BONE, marrow, BONE, FAT, SKIN], 0.0,
    )  # fmt: skip
    x, y, z = lattice.points_mm()
    outside = skull_mm > SCALP_MM
    face = _ellipsoid((x, y, z), FACE_MM, FACE_SIZE_MM)
    head = np.where((face < 1) & outside, np.where(face > 0.85, FAT, soft), head)
    airways = _ellipsoid((x, y, z), (0.0, 62.0, -70.0), (14.0, 34.0, 26.0)) < 1
    head = np.where(airways & outside, BONE, head)
    for centre in EYES_MM:
        from_eye_mm = np.sqrt(sum((a - c) ** 2 for a, c in zip((x, y, z), centre, strict=True)))
        head = np.where((from_eye_mm < SOCKET_MM) & (skull_mm > SKULL_MM), FAT, head)
        head = np.where(from_eye_mm < EYE_MM, VITREOUS, head)
    from_axis = np.hypot(x - NECK_MM[0], y - NECK_MM[1])
    neck = np.hypot((x - NECK_MM[0]) / NECK_SIZE_MM[0], (y - NECK_MM[1]) / NECK_SIZE_MM[1])
    below = (z < BASE_MM) & (neck < 1)
    spine = np.select([from_axis < CORD_MM, from_axis < CANAL_MM, from_axis < 2 * CANAL_MM], [0.8, FLUID, marrow], soft)
    return np.where(below & (skull_mm > SKULL_MM), np.where(neck > 0.9, FAT, spine), head).astype(np.float32)


def _ellipsoid(
    points: tuple[NDArray, NDArray, NDArray], centre: tuple[float, ...], radii: tuple[float, ...]
) -> NDArray[np.float32]:
    """How far out of an ellipsoid each point lies: 1 on its surface."""
    return np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in zip(points, centre, radii, strict=True)))
