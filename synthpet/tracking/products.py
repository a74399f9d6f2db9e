"""What stages make and use, as W&B artifacts: the chain cohort, generator, synthetic set, detector, evaluation."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthpet.cohort import Cohort
from synthpet.cohort.manifest import Manifest

IMAGES = ("t1w", "pet", "brain_mask", "lesion_mask")


@dataclass(frozen=True)
class Product:
    """A folder of results, told from others by its content alone: whoever uses it and whoever made it name one thing.

    Args:
        kind: cohort, generator, synthetic-set, detector, evaluation or comparison.
        name: within the study.
        fingerprint: SHA-256 over the SHA-256 of its files; no file's name goes into it.
        models: weights.
        named: what is needed to load them, and names the people that they learned from.
        facts: plain numbers and words about it.
    """

    kind: str
    name: str
    fingerprint: str
    models: tuple[Path, ...] = ()
    named: tuple[Path, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def made_by(folder: Path, kind: str, name: str = "") -> Product:
    """The product of a finished stage, from its manifest.

    Args:
        folder: of the stage.
        kind: as of ``Product``.
        name: as of ``Product``; empty: the folder's.
    """
    manifest = Manifest.read(folder)
    facts = {"n_files": len(manifest.outputs), "bytes": sum(found["bytes"] for found in manifest.outputs.values())}
    return Product(kind, name or folder.name, fingerprint(manifest.hashes().values()), facts=facts)


def cohort_product(cohort: Cohort) -> Product:
    """A cohort: its table and the sizes of its images tell it from others; nothing of them is in it."""
    images = cohort.files(IMAGES, cohort.subjects)
    table = (cohort.root / "participants.tsv").read_text()
    found = fingerprint([table, *(f"{path.name} {path.stat().st_size}" for path in images)])
    return Product("cohort", "cohort", found, facts={"n_subjects": len(cohort.subjects), "n_images": len(images)})


def fingerprint(parts: Iterable[str]) -> str:
    """SHA-256 of texts, whatever their order."""
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
