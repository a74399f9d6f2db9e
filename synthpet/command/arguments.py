"""What is typed, for Hydra's grammar: paths and other texts arrive as they were typed, whatever signs they hold."""

import re
from collections.abc import Iterable
from pathlib import Path

# Options whose value is always text, by the last part of their name
TEXTS = (
    "work_dir", "bids_dir", "verify", "out", "path", "generators", "t1w", "pet", "flair", "mask", "raw", "anatomy",
    "brain_mask", "lesion_mask", "participants", "suvr_reference", "brain_mask_command", "address", "name",
)  # fmt: skip
LISTS = ("compare.generators",)  # of the same last part
OPTIONAL = ("gan.sources", "gan.target", "gan.generator.network")  # that stand in no file of ours
OVERRIDE = re.compile(r"([+~]{0,2}[A-Za-z_][\w.@/]*)(?:=(.*))?", re.DOTALL)
QUOTES = ("'", '"')


def expand(arguments: Iterable[str]) -> list[str]:
    """Arguments as Hydra understands them: ``cohort=<a folder>`` in full, texts in quotes, ``~`` as the home folder.

    ``cohort=<folder>`` is short for ``cohort=folder cohort.path=<the folder>``; group options stay. The cohort is named
    after its folder; after the folder above where it is called ``cohort``, as commands call it: results then go beside
    it, wherever the command is run.
    """
    arguments, expanded = list(arguments), []
    sweep = bool({"--multirun", "-m"} & set(arguments))  # where a comma separates values
    for argument in arguments:
        folder = argument.removeprefix("cohort=")
        if folder != argument and ("/" in folder or folder == "~" or Path(folder).is_dir()):
            found = Path(folder).expanduser().resolve()
            name = found.parent.name if found.name == "cohort" else found.name
            expanded += ["cohort=folder", f"cohort.path={quote(str(found))}", f"cohort.name={quote(name)}"]
            if found.name == "cohort" and not any(other.startswith("work_dir=") for other in arguments):
                expanded.append(f"work_dir={quote(str(_from_here(found.parent)))}")
        else:
            optional = argument.partition("=")[0] in OPTIONAL
            expanded.append(_as_meant(f"++{argument}" if optional else argument, sweep))
    return expanded


def _from_here(folder: Path) -> Path:
    """As somebody who works here would write it."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def is_override(argument: str) -> bool:
    """Whether it is ``key=value``."""
    found = OVERRIDE.fullmatch(argument)
    return found is not None and found[2] is not None


def _as_meant(argument: str, sweep: bool) -> str:
    """One argument: a text, and whatever Hydra's grammar cannot read, in quotes; the rest is left alone."""
    found = OVERRIDE.fullmatch(argument)
    if found is None or found[2] in (None, "", "null", "???"):
        return argument
    key, value = found[1], found[2]
    is_text = key.rpartition(".")[2] in TEXTS and key not in LISTS
    if is_text and re.match(r"~[\w.-]*(/|$)", value):  # not every shell does it behind `=`
        value = _at_home(value)
        argument = f"{key}={value}"
    if is_text and not sweep and value[0] not in QUOTES:
        return f"{key}={quote(value)}"
    return argument if _is_readable(argument) else f"{key}={quote(value)}"


def _at_home(value: str) -> str:
    try:
        return str(Path(value).expanduser())
    except RuntimeError:  # nobody of that name
        return value


def _is_readable(argument: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def quote(text: str) -> str:
    """In quotes of Hydra's grammar, where backslashes count double only before a quote."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), text) + "'"
