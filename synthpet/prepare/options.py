"""The options of ``python -m synthpet.prepare``: what is read, who is who, what is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from synthpet.prepare.raw import RawOptions
from synthpet.prepare.recipes import Recipe
from synthpet.prepare.settings import Settings
from synthpet.runtime.options import Study


@dataclass(frozen=True, kw_only=True)
class PrepareStudy(Study):
    """``configs/prepare.yaml``.

    Args:
        bids_dir: the folder of raw images.
        out: where the cohort is written.
        participant_label: only these people; None: everybody.
        reading: how the folder is read, and who is who.
        settings: what is done with each person's images.
        dataset: the public data set that was named.
    """

    bids_dir: Path
    out: Path
    participant_label: tuple[str, ...] | None = None
    reading: RawOptions
    settings: Settings
    dataset: Recipe = field(default_factory=Recipe)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``; the groups are made from the same values, which the file has side by side.

        Raises:
            UsageError: a value that cannot be used, or one that this data set needs was not given.
        """
        labels = values.get("participant_label")
        groups = {
            "reading": {**values, "leave_out": values["out"]},
            "settings": {**values, "resolution_mm": values["cohort"].get("resolution_mm")},
            "participant_label": None if labels is None else tuple(map(str, labels)),
        }
        study = super().of({**values, **groups})
        study.dataset.check_table(study.bids_dir, study.reading.participants)
        return study
