"""How one simulated person is scanned: poses, voxels, orientations, units, frames; all drawn at random.

Every pose is a 4x4 matrix between points in RAS+ millimetres. Not in a paper: all numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthpet.phantom.person import Plan

BRAIN_CENTRE_MM = (0.0, -20.0, 5.0)
TILT_DEGREES, SHIFT_MM = 15.0, 30.0  # the head in the scanner, and the PET against the T1: at most, each axis
OBLIQUE_DEGREES = 5.0  # the operator's box against the scanner's axes
FLAIR_DEGREES, FLAIR_MM = 3.0, 4.0  # movement between T1 and FLAIR
T1W_BIAS = 0.12
ORIENTATIONS = ("RAS", "LAS", "LPS", "PSR", "PIR", "ASL", "RSA", "SPL")
FRAMES_S = {"siteA": (300, 300, 600, 600), "siteB": (120, 240, 540, 900)}  # duration


@dataclass(frozen=True)
class Frames:
    """Times of a dynamic PET in seconds after the injection."""

    start_s: tuple[float, ...]
    duration_s: tuple[float, ...]

    @property
    def weights(self) -> NDArray[np.float64]:
        """Share of each frame in the whole duration, (F,)."""
        return np.array(self.duration_s) / sum(self.duration_s)


@dataclass(frozen=True)
class Protocol:
    """How one person is scanned; chance has decided when it is made.

    Args:
        t1w_pose: the person's points to those of the T1's scanner, (4, 4).
        pet_pose: the person's points to those of the PET scanner.
        flair_pose: the person's points to those of the FLAIR.
        t1w_spacing_mm: voxel size; the third is the slices'.
        pet_spacing_mm: of the PET.
        flair_spacing_mm: of the FLAIR.
        orientation: order and direction in which the T1 is stored, as nibabel spells it.
        pet_orientation: of the PET.
        oblique: (3, 3) rotation of the T1's box.
        t1w_bias: standard deviation of the log of the bias field.
        t1w_noise: standard deviation of the T1's noise, relative to white matter.
        t1w_scale: value of white matter in the file.
        bq_per_ml: activity where the uptake is 1.
        frames: of the PET.
        cut: where the PET's field of view ends within the brain, "top" or "bottom"; "": nowhere.
        skull: whether the T1 shows the whole head.
    """

    t1w_pose: NDArray[np.float64]
    pet_pose: NDArray[np.float64]
    flair_pose: NDArray[np.float64]
    t1w_spacing_mm: tuple[float, float, float]
    pet_spacing_mm: tuple[float, float, float]
    flair_spacing_mm: tuple[float, float, float]
    orientation: str
    pet_orientation: str
    oblique: NDArray[np.float64]
    t1w_bias: float
    t1w_noise: float
    t1w_scale: float
    bq_per_ml: float
    frames: Frames
    cut: str = ""
    skull: bool = False

    @property
    def pet_to_t1w(self) -> NDArray[np.float64]:
        """Points of the PET to points of the T1, both native, (4, 4) in RAS+ mm."""
        return self.t1w_pose @ np.linalg.inv(self.pet_pose)


def draw_protocol(plan: Plan, *, cut_share: float = 0.0, skull: bool = False) -> Protocol:
    """Draw how a person is scanned.

    Args:
        plan: whose stream "pose" decides.
        cut_share: probability that the PET's field of view ends within the brain.
        skull: whether the T1 shows the whole head.
    """
    rng = plan.rng("pose")
    t1w_pose = rigid(rng, TILT_DEGREES, SHIFT_MM)
    sizes = (0.8, 0.9, 1.0)
    in_plane, pet_in_plane = float(rng.choice(sizes)), float(rng.choice((2.1, 2.4)))
    durations = tuple(float(d) for d in FRAMES_S[plan.scanner.name])
    first = 60.0 * rng.integers(30, 50)
    starts = first + np.concatenate([[0], np.cumsum(durations)[:-1]])
    return Protocol(
        t1w_pose=t1w_pose,
        pet_pose=rigid(rng, TILT_DEGREES, SHIFT_MM, t1w_pose) @ t1w_pose,
        flair_pose=rigid(rng, FLAIR_DEGREES, FLAIR_MM, t1w_pose) @ t1w_pose,
        t1w_spacing_mm=(in_plane, in_plane, float(rng.choice((1.0, 1.2)))),
        pet_spacing_mm=(pet_in_plane, pet_in_plane, float(rng.choice((2.0, 3.3)))),
        flair_spacing_mm=(0.9, 0.9, float(rng.choice((1.0, 3.0)))),
        orientation=str(rng.choice(ORIENTATIONS)),
        pet_orientation=str(rng.choice(ORIENTATIONS)),
        oblique=rigid(rng, OBLIQUE_DEGREES, 0.0)[:3, :3],
        t1w_bias=T1W_BIAS,
        t1w_noise=2 * plan.scanner.t1_noise,
        t1w_scale=float(rng.uniform(300, 2500)),
        bq_per_ml=float(rng.uniform(4000, 15000)),
        frames=Frames(tuple(starts.tolist()), durations),
        cut=str(rng.choice(["top", "bottom"])) if rng.random() < cut_share else "",
        skull=skull,
    )


def rigid(
    rng: np.random.Generator, degrees: float, shift_mm: float, seen_from: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Random rotation about each axis through the brain's centre, and shift along each; uniform up to the limits.

    Args:
        rng: source of randomness.
        degrees: largest rotation about each axis.
        shift_mm: largest shift along each axis.
        seen_from: (4, 4) that takes the brain's centre to where it is now; None: the template's place.
    """
    x, y, z = np.deg2rad(rng.uniform(-degrees, degrees, 3))
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    pose = np.eye(4)
    pose[:3, :3] = np.array(about_z) @ about_y @ about_x
    here = np.eye(4) if seen_from is None else seen_from
    centre = (here @ [*BRAIN_CENTRE_MM, 1])[:3]
    pose[:3, 3] = centre - pose[:3, :3] @ centre + rng.uniform(-shift_mm, shift_mm, 3)
    return pose
