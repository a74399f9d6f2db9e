"""What is typed, for Hydra: the form of BIDS Apps as overrides."""

from collections.abc import Sequence

from synthpet.command.arguments import is_override, quote
from synthpet.errors import UsageError

USAGE = (
    "python -m synthpet.prepare <bids_dir> <out_dir> participant [--participant_label 01 02] [--session_label x] "
    "[--n_cpus 4] [key=value ...]"
)
OPTIONS = {
    "--participant_label": "participant_label",
    "--participant-label": "participant_label",
    "--session_label": "session",
    "--session-label": "session",
    "--session-id": "session",
    "--n_cpus": "compute.n_jobs",
    "--n-cpus": "compute.n_jobs",
    "--n_procs": "compute.n_jobs",
    "--nprocs": "compute.n_jobs",
    "-w": "work_dir",
    "--work-dir": "work_dir",
    "--work_dir": "work_dir",
}
HYDRA_FLAGS = ("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--multirun", "-m", "--run",
               "-r", "--resolve", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir",
               "-cd", "--shell-completion", "-sc", "--experimental-rerun")  # fmt: skip


def to_overrides(arguments: Sequence[str]) -> list[str]:
    """Translate the form of BIDS Apps; arguments in Hydra's own form come back as they are.

    Raises:
        UsageError: the form is that of BIDS Apps, but something is missing or unknown.
    """
    first = arguments[0] if arguments else ""
    flag = first.split("=")[0]
    if not first or "--help" in arguments or flag in HYDRA_FLAGS or is_override(first):
        return list(arguments)
    positional, options, overrides = _sort(arguments)
    if len(positional) != 3:
        raise UsageError(f"{len(positional)} of <bids_dir> <out_dir> participant given; expected {USAGE}")
    bids_dir, out, level = positional
    if level != "participant":
        raise UsageError(
            f"analysis level {level!r}: expected participant (it writes the tables of the group, too); {USAGE}"
        )
    translated = [f"bids_dir={quote(bids_dir)}", f"out={quote(out)}"]
    for key, values in options.items():
        if key == "participant_label":
            labels = [label.removeprefix("sub-") for value in values for label in value.split(",") if label]
            translated.append(f"{key}=[{','.join(map(quote, labels))}]")
        elif key == "compute.n_jobs":
            translated.append(f"{key}={_number(values)}")
        else:
            translated.append(f"{key}={quote(_one(key, values))}")
    return [*translated, *overrides]


def _sort(arguments: Sequence[str]) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Positional arguments, options with their values, and Hydra's own."""
    positional: list[str] = []
    options: dict[str, list[str]] = {}
    overrides: list[str] = []
    values = None  # of the option that stood last
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in OPTIONS:
            values = options.setdefault(OPTIONS[name], [])
            if equals:
                values.append(value)
        elif is_override(argument) or name in HYDRA_FLAGS:
            overrides.append(argument)
        elif argument.startswith("-"):
            raise UsageError(f"{name}: unknown option; expected {', '.join(OPTIONS)}, or key=value; {USAGE}")
        elif values is not None and len(positional) == 3:
            values.append(argument)
        else:
            positional.append(argument)
    for key, given in options.items():
        if not given:
            option = next(name for name in OPTIONS if OPTIONS[name] == key)
            raise UsageError(f"{option}: no value; options stand behind <bids_dir> <out_dir> participant; {USAGE}")
    return positional, options, overrides


def _one(key: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise UsageError(f"{key}: {len(values)} values ({' '.join(values)}); expected one")
    return values[0].removeprefix("ses-") if key == "session" else values[0]


def _number(values: Sequence[str]) -> int:
    if len(values) != 1 or not values[0].isdecimal() or values[0] == "0":
        raise UsageError(f"--n_cpus {' '.join(values)}: expected one number of processes, 1 or more")
    return int(values[0])
