"""``--help`` of a command: what people change first, groups to choose from, every option with its value and comment.

Hydra prints a configuration without the comments of its files, which explain the options. They are read line by line:
a comment stands behind its key and goes on in lines of comment below it; the first one of a file says what choosing it
means. In the YAML of a command ``hydra.help.template`` lists what is shown first.
"""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omegaconf import DictConfig

KEY = re.compile(r"( *)(?:- (?:override )?)?([\w-]+):(?:\s|$)")
WIDEST_VALUE = 24
NARROWEST_NOTE = 30
GENERAL = "general"  # the section of options that are in no group


@dataclass(frozen=True)
class Option:
    """One row: its name with dots (or that of a group), the value it would have, and what it means."""

    name: str
    value: str
    note: str

    @property
    def section(self) -> str:
        """Under which heading it stands."""
        return self.name.partition(".")[0] if "." in self.name else GENERAL


def explain_options() -> None:
    """From now on ``--help`` is this module's."""
    from hydra._internal.hydra import Hydra

    Hydra.app_help = _app_help  # type: ignore[method-assign]


def _app_help(hydra: Any, config_name: str, args_parser: object, args: Any) -> None:
    from hydra.types import RunMode

    cfg = hydra.compose_config(config_name, args.overrides, RunMode.RUN)
    loader = hydra.config_loader
    notes = notes_of(loader, config_name, args.overrides)
    choices = {group: name for group, name in cfg.hydra.runtime.choices.items() if not _is_hydras(group)}
    files_of = {
        group: {name: summary(_read(loader, f"{group}/{name}")) for name in loader.get_group_options(group)}
        for group in sorted(choices)
    }
    lines = help_lines(cfg, notes, choices, files_of, _width())
    sys.stdout.write("\n".join(lines) + "\n")


def _is_hydras(name: str) -> bool:
    return name.partition(".")[0].partition("/")[0] == "hydra"


def _width() -> int:
    return min(max(shutil.get_terminal_size((100, 24)).columns, 80), 140)


def _read(loader: Any, name: str) -> str:
    """The text of a configuration file, by its name without ``.yaml``; empty where no folder or package has it."""
    for source in loader.get_sources():
        if source.scheme() in ("file", "pkg") and source.is_config(name):
            folder: Any = Path(source.path) if source.scheme() == "file" else files(source.path)
            return (folder / f"{name}.yaml").read_text(encoding="utf-8")
    return ""


def summary(text: str) -> str:
    """The first line of comment of a file that begins with comments; what Hydra reads in them is left out."""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            return line.lstrip("# ")
    return ""


def comments(text: str) -> dict[str, str]:
    """The comment of each key with dots; that of a choice in the defaults list is ``defaults.<group>``."""
    found: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    key = None
    for line in text.splitlines():
        code, note = _split(line)
        if not code.strip():  # a line of comment goes on with the one above it unless it begins where keys do
            if key and note and len(code) > above[-1][0]:
                found[key] = f"{found.get(key, '')} {note}".strip()
            else:
                key = None
            continue
        begin = KEY.match(code)
        if begin is None:
            key = None
            continue
        above = [level for level in above if level[0] < len(begin[1])] + [(len(begin[1]), begin[2])]
        key = ".".join(name for _, name in above)
        if note:
            found[key] = note
    return found


def _split(line: str) -> tuple[str, str]:
    """What a line of YAML holds, and its comment; a ``#`` within quotes or a word begins none."""
    quote = ""
    for at, sign in enumerate(line):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "#" and line[at - 1 : at] in ("", " "):
            return line[:at], line[at + 1 :].strip()
    return line, ""


def notes_of(loader: Any, config_name: str, overrides: list[str]) -> dict[str, str]:
    """The comment of every option; where several files set it, of the last one that has one."""
    from hydra.types import RunMode

    found: dict[str, str] = {}
    for file in loader.compute_defaults_list(config_name, overrides, RunMode.RUN).defaults:
        if _is_hydras(file.package):
            continue
        prefix = f"{file.package}." if file.package else ""
        for key, note in comments(_read(loader, file.config_path)).items():
            found[key if key.startswith("defaults.") else prefix + key] = note
    return found


def options_of(cfg: "DictConfig", notes: Mapping[str, str]) -> list[Option]:
    """Every option of a composed configuration, in its order."""
    from omegaconf import OmegaConf

    return [
        Option(key, _value(cfg, key, value), notes.get(key, ""))
        for name, node in OmegaConf.to_container(cfg).items()  # type: ignore[union-attr]
        if name != "hydra"
        for key, value in _leaves(node, str(name))
    ]


def _leaves(node: object, key: str) -> Iterator[tuple[str, object]]:
    if isinstance(node, Mapping) and node:
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{name}")
    else:
        yield key, node


def _value(cfg: "DictConfig", key: str, value: object) -> str:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(value, str) and "${" in value:
        with suppress(OmegaConfBaseException):  # it refers to what was not given
            value = OmegaConf.select(cfg, key)
    return _written(value)


def _written(value: object) -> str:
    """As it is typed."""
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def help_lines(
    cfg: "DictConfig",
    notes: Mapping[str, str],
    choices: Mapping[str, str],
    files_of: Mapping[str, Mapping[str, str]],
    width: int,
) -> Iterator[str]:
    """What ``--help`` prints.

    Args:
        cfg: composed, with Hydra's own part.
        notes: comments by option, and by ``defaults.<group>``.
        choices: the chosen file by group.
        files_of: by group, what choosing each of its files means.
        width: of a line.
    """
    options = options_of(cfg, notes)
    groups = [Option(group, str(name), notes.get(f"defaults.{group}", "")) for group, name in choices.items()]
    known = {option.name: option for option in [*options, *groups]}
    yield cfg.hydra.help.header.rstrip()
    yield "\nOFTEN CHANGED"
    yield from _table([known[name] for name in cfg.hydra.help.template.split() if name in known], width)
    yield "\nCHOICES: group=name (*: chosen)"
    for group, found in files_of.items():
        if len(found) > 1:
            yield from _choices(known[group], found, width)
    yield "\nOPTIONS: name=value"
    for section in _sections(options, choices):
        yield f"\n {section}"
        yield from _table([option for option in options if option.section == section], width)
    yield ""
    yield from textwrap.wrap(cfg.hydra.help.footer, width)


def _sections(options: Iterable[Option], groups: Iterable[str]) -> list[str]:
    """What belongs to the command itself comes before the groups that it shares with others."""
    found = list(dict.fromkeys(option.section for option in options))
    own = [name for name in reversed(found) if name not in (*groups, GENERAL)]
    return [GENERAL, *own, *(name for name in found if name in groups)]


def _choices(group: Option, found: Mapping[str, str], width: int) -> Iterator[str]:
    yield f"\n {group.name}" + (f": {group.note}" if group.note else "")
    longest = max(map(len, found))
    for name, note in found.items():
        head = f"  {'*' if name == group.value else ' '} {name:<{longest}}"
        yield from _beside(head, note, width)


def _table(options: list[Option], width: int) -> Iterator[str]:
    """Rows ``name = value   comment``, aligned; where a value is too long its comment stands below."""
    longest = max((len(option.name) for option in options), default=0)
    widest = min(max((len(option.value) for option in options), default=0), WIDEST_VALUE)
    for option in options:
        head = f"   {option.name:<{longest}} = {option.value:<{widest}}"
        begin = 6 + longest + widest
        if len(head) > begin or width - begin < NARROWEST_NOTE:
            yield head.rstrip()
            head = " " * min(begin, width - NARROWEST_NOTE)
        yield from _beside(head, option.note, width)


def _beside(head: str, note: str, width: int) -> Iterator[str]:
    wrapped = textwrap.wrap(note, width - len(head) - 2) or [""]
    yield f"{head}  {wrapped[0]}".rstrip()
    yield from (" " * (len(head) + 2) + line for line in wrapped[1:])
