"""Classes by the name that a configuration gives them: this project's own, and those of installed packages.

To install a package is a decision; a configuration only chooses among the names that are there, and never names code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from synthpet.errors import UsageError


@dataclass(frozen=True)
class Registry:
    """Names to classes, each imported when it is asked for.

    Args:
        option: of the configuration that holds the name, such as ``detector.method``.
        group: of entry points by which packages add theirs, such as ``uad.detectors``.
        own: name to ``module:class``.
    """

    option: str
    group: str
    own: Mapping[str, str]

    def names(self) -> tuple[str, ...]:
        """All names, the project's own first."""
        return (*self.own, *(name for name in sorted(installed(self.group)) if name not in self.own))

    def load(self, name: str) -> Any:
        """The class of a name; one of the project's own is not replaced by a package's.

        Raises:
            UsageError: no such name, or a package whose class cannot be imported.
        """
        target = self.own.get(name) or installed(self.group).get(name)
        if target is None:
            raise UsageError(f"{self.option}={name}: expected one of {', '.join(self.names())}")
        module, _, attribute = target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UsageError(
                f"{self.option}={name}: {target} cannot be imported ({error}); repair or update its package"
            ) from error


def installed(group: str) -> dict[str, str]:
    """Name to ``module:class`` of the entry points that installed packages declare."""
    return {point.name: point.value for point in entry_points(group=group)}
