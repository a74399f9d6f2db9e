"""BIDS names of a cohort's images: the only place where they are spelt."""

import re
from pathlib import Path

from synthpet.cohort.modality import ENTITIES, Modality, modality, modality_names
from synthpet.errors import IdError

SPACE = "MNI152NLin2009aSym"  # the template that nilearn carries (ICBM 2009a, symmetric)
PARTS = {  # of the head, beside the modalities: entities after the resolution, and suffix
    "brain_mask": "desc-brain_mask",
    "gm": "label-GM_probseg",
    "wm": "label-WM_probseg",
    "csf": "label-CSF_probseg",
    "lesion_mask": "label-lesion_mask",
}
DERIVED = {  # from the word before a modality's name, as in `synthetic_pet`, to the label that says so
    "synthetic": "synthetic",
    "resampled": "syntheticresampled",
    "uncertainty": "uncertainty",
    "expected": "expected",  # simulated cohorts only
    "withheld": "withheld",  # simulated cohorts only; trains nothing
}


def resolution_label(resolution_mm: float) -> str:
    """The BIDS ``res-`` label of an isotropic voxel size: ``3mm``, ``1p5mm``."""
    return f"{resolution_mm:g}mm".replace(".", "p")


def image_path(participant_id: str, kind: str, *, res: str, space: str = SPACE) -> Path:
    """Path of one subject's image relative to the cohort's root.

    Args:
        participant_id: ``sub-<label>``.
        kind: a modality (``t1w``, ``pet``, ``t1w_acq-B``), one derived from it (``synthetic_pet``; ``uncertainty``
            alone is of the PET), or a key of ``PARTS``.
        res: the ``res-`` label of the cohort's grid.
        space: the template's BIDS name.

    Raises:
        UsageError: no such kind.
    """
    if kind in PARTS:
        return Path(participant_id, "anat", f"{participant_id}_space-{space}_res-{res}_{PARTS[kind]}.nii.gz")
    of, desc = _modality_and_desc(kind)
    before = "".join(f"{key}-{label}_" for key, label in of.entities)
    name = f"{participant_id}_{before}space-{space}_res-{res}_desc-{desc}_{of.suffix}.nii.gz"
    return Path(participant_id, of.folder, name)


def derived_kind(word: str, name: str) -> str:
    """Name of what is derived from a modality, such as ``synthetic_pet``; ``uncertainty`` alone is of the PET."""
    return word if (word, name) == ("uncertainty", "pet") else f"{word}_{name}"


def _modality_and_desc(kind: str) -> tuple[Modality, str]:
    word, _, name = kind.partition("_")
    if word in DERIVED:
        return modality(name or "pet"), DERIVED[word]
    return modality(kind), modality(kind).desc


def measured_modality(kind: str) -> Modality | None:
    """The modality that a kind of image is; None for what is derived from one, and for the parts of a head."""
    return None if kind in PARTS or kind.partition("_")[0] in DERIVED else modality(kind)


def modality_of(path: Path) -> str | None:
    """The modality that the name of a measured image says, such as ``t1w_acq-B``; None for any other file."""
    *parts, suffix = path.name.removesuffix(".nii.gz").split("_")
    entities = dict(part.split("-", 1) for part in parts if "-" in part)
    for kind in map(modality, modality_names()):
        if (kind.folder, kind.desc, kind.suffix) == (path.parent.name, entities.get("desc"), suffix):
            own = {key: entities[key] for key in ENTITIES if key in entities}
            return kind.of_protocol(
                {key: label for key, label in own.items() if (key, label) not in kind.entities}
            ).name
    return None


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
