"""How a folder is read: its layout, patterns and table, and who is who in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from synthpet.errors import UsageError
from synthpet.prepare.raw.roles import RoleRules
from synthpet.prepare.raw.scan import KINDS
from synthpet.runtime.options import Options


@dataclass(frozen=True)
class RawOptions(Options):
    """How a folder is read; the defaults are those of ``configs/prepare.yaml``.

    Args:
        layout: auto, or a key of ``layouts.LAYOUTS``.
        patterns: path patterns by kind (``scan.KINDS``).
        participants: the table; None: participants.tsv of the folder.
        session: label, or one for ``t1w`` and one for ``pet``; None: that which has both.
        tracer: entity ``trc-`` of the PETs.
        rules: who is who.
        leave_out: a folder that is not entered.
        follow_links: also those that lead out of the folder.
    """

    layout: str = "auto"
    patterns: Mapping[str, str] = field(default_factory=dict)
    participants: Path | None = None
    session: str | Mapping[str, str] | None = None
    tracer: str = "18FFDG"
    rules: RoleRules = field(default_factory=RoleRules)
    leave_out: Path | None = None
    follow_links: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``; a pattern has the name of its kind, and ``rules`` are made from the same values.

        Raises:
            UsageError: a value that cannot be used.
        """
        made = {
            "patterns": {kind: str(values[kind]) for kind in KINDS if values.get(kind) is not None},
            "session": _session(values.get("session")),
            "tracer": str(values.get("tracer", cls.tracer)),
            "rules": values,
        }
        paths = {name: Path(values[name]) for name in ("participants", "leave_out") if values.get(name)}
        others = {name: values[name] for name in ("layout", "follow_links") if name in values}
        return super().of(others | made | paths)


def _session(given: Any) -> str | dict[str, str] | None:
    """The option ``session``: a label, or one for T1w (and masks, FLAIR) and one for PET."""
    if given is None or not isinstance(given, Mapping):
        return None if given is None else str(given)
    if set(given) - {"t1w", "pet"}:
        raise UsageError(f"session={dict(given)}: expected a label, or {{t1w: <label>, pet: <label>}}")
    return {str(kind): str(label) for kind, label in given.items()}
