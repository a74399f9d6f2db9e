"""Options as frozen dataclasses: made from a configuration at the command, passed down instead of it.

Words and ranges stand in ``synthpet.command.allowed`` and are checked before; here values get their types.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, get_origin, get_type_hints

from synthpet.cohort.paths import Paths
from synthpet.errors import UsageError
from synthpet.runtime.compute import Compute

T = TypeVar("T")


class Options:
    """A frozen dataclass that is made from values of the same names; what it does not name is somebody else's."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From a configuration or a mapping; fields that are options themselves are made from theirs.

        Raises:
            UsageError: a value that has no default was not given.
        """
        hints, found = get_type_hints(cls), {}
        for field in fields(cls):  # type: ignore[arg-type]
            if field.name in values:
                found[field.name] = _typed(hints[field.name], values[field.name])
            elif field.default is MISSING and field.default_factory is MISSING:
                raise UsageError(f"{field.name}: was not given; expected {field.name}=<...>")
        return cls(**found)


def own_options(kind: type[T], group: str, values: Mapping[str, Any], shared: Iterable[str]) -> T:
    """The options of one method from its group of the configuration, which has no others.

    Args:
        kind: the dataclass.
        group: of the configuration, such as ``detector``.
        values: of the whole group.
        shared: names that every method of the group has, read elsewhere.

    Raises:
        UsageError: an option that this method does not have, or one without a default that was not given.
    """
    named = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    given = {key: value for key, value in values.items() if key not in set(shared)}
    chosen = f"{group}={values['name']}" if "name" in values else group
    if strange := sorted(given.keys() - named.keys()):
        raise UsageError(f"{group}.{strange[0]}: no option of {chosen}; it has {', '.join(named)}")
    absent = [
        name for name, f in named.items() if name not in given and f.default is MISSING and f.default_factory is MISSING
    ]
    if absent:
        raise UsageError(f"{group}.{absent[0]}: was not given; expected it with {chosen}")
    return kind(**given)


def _typed(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Options | Compute):
        return kind.of(value)
    if kind is Path:
        return Path(str(value))
    if get_origin(kind) is tuple:
        return tuple(value)
    return value


def plain(value: Any) -> Any:
    """Options as plain values for a manifest: groups as in their files, tuples as lists, paths as text."""
    if isinstance(value, Group):
        return plain(value.values)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Group(Options):
    """A group of the configuration whose options differ from one file to the other; ``values``: all of them."""

    name: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """As ``Options.of``, and the whole group."""
        return super().of({**values, "values": dict(values)})


@dataclass(frozen=True)
class CohortOptions(Group):
    """Whose images: ``source`` is phantom, folder or bids; ``path``: the cohort's folder."""

    source: str
    path: Path

    @property
    def is_simulated(self) -> bool:
        """Whether the people are simulated from nothing, so that showing them shows nobody."""
        return self.source == "phantom"


@dataclass(frozen=True, kw_only=True)
class Study(Options):
    """What every command knows.

    Args:
        work_dir: where results go.
        seed: of everything that is drawn.
        on_invalid: stop or skip, where a subject's images cannot be used.
        study_name: of ``study=``.
        cohort: whose images.
        compute: where work runs.
    """

    work_dir: Path
    seed: int
    on_invalid: str
    study_name: str = ""
    cohort: CohortOptions
    compute: Compute

    @property
    def paths(self) -> Paths:
        """Where its artefacts lie."""
        return Paths(self.work_dir)
