"""BIDS names of a cohort's images: the only place where they are spelt."""

import re
from pathlib import Path

from synthpet.errors import IdError

SPACE = "MNI152NLin2009aSym"  # the template that nilearn carries (ICBM 2009a, symmetric)

# kind: (folder, entities before the space, entities after the resolution)
IMAGES = {
    "t1w": ("anat", "", "desc-preproc_T1w"),
    "flair": ("anat", "", "desc-preproc_FLAIR"),
    "brain_mask": ("anat", "", "desc-brain_mask"),
    "gm": ("anat", "", "label-GM_probseg"),
    "wm": ("anat", "", "label-WM_probseg"),
    "csf": ("anat", "", "label-CSF_probseg"),
    "lesion_mask": ("anat", "", "label-lesion_mask"),
    "pet": ("pet", "trc-18FFDG_", "desc-suvr_pet"),
    "expected_pet": ("pet", "trc-18FFDG_", "desc-expected_pet"),  # simulated cohorts only
    "withheld_pet": ("pet", "trc-18FFDG_", "desc-withheld_pet"),  # simulated cohorts only; trains nothing
    "synthetic_pet": ("pet", "trc-18FFDG_", "desc-synthetic_pet"),
    "resampled_pet": ("pet", "trc-18FFDG_", "desc-syntheticresampled_pet"),
    "uncertainty": ("pet", "trc-18FFDG_", "desc-uncertainty_pet"),
}


def resolution_label(resolution_mm: float) -> str:
    """The BIDS ``res-`` label of an isotropic voxel size: ``3mm``, ``1p5mm``."""
    return f"{resolution_mm:g}mm".replace(".", "p")


def image_path(participant_id: str, kind: str, *, res: str, space: str = SPACE) -> Path:
    """Path of one subject's image relative to the cohort's root.

    Args:
        participant_id: ``sub-<label>``.
        kind: a key of ``IMAGES``.
        res: the ``res-`` label of the cohort's grid.
        space: the template's BIDS name.
    """
    folder, before, after = IMAGES[kind]
    return Path(participant_id, folder, f"{participant_id}_{before}space-{space}_res-{res}_{after}.nii.gz")


def sidecar_path(image: Path) -> Path:
    """The JSON that describes an image."""
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")


def check_participant_id(participant_id: str) -> str:
    """Return the id if BIDS allows it (``sub-`` and letters or digits).

    Raises:
        IdError: anything else, so that an id can never lead outside a folder.
    """
    if not re.fullmatch(r"sub-[0-9a-zA-Z]{1,64}", participant_id):
        raise IdError(
            f"E_ID {participant_id[:80]!r} in participants.tsv: expected `sub-` and 1 to 64 letters or digits; rename"
        )
    return participant_id
