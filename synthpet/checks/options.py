"""The options of ``python -m synthpet.validate``: one thing to check."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from synthpet.errors import UsageError
from synthpet.prepare.options import PrepareStudy
from synthpet.runtime.options import Study


@dataclass(frozen=True, kw_only=True)
class ValidationStudy(Study):
    """``configs/validate.yaml``: a cohort is checked where neither of these is given.

    Args:
        raw: a folder of raw images, as ``synthpet.prepare`` would read it.
        verify: a folder of results.
    """

    raw: PrepareStudy | None = None
    verify: Path | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``.

        Raises:
            UsageError: not exactly one thing to check.
        """
        bids_dir, verify = values.get("bids_dir"), values.get("verify")
        given = {"bids_dir": bids_dir, "verify": verify, "cohort": values["cohort"]["source"] == "folder" or None}
        asked = [name for name, value in given.items() if value is not None]
        if len(asked) != 1:
            raise UsageError(
                f"expected one of cohort=<folder>, bids_dir=<folder>, verify=<folder>; found {asked or 'none'}"
            )
        raw = None if bids_dir is None else PrepareStudy.of(values)
        return super().of({**values, "raw": raw, "verify": None if verify is None else Path(verify)})
