"""``synthpet`` and ``uad`` (also by ``python -m``): run a command, or list them in the order of the data."""

import re
import runpy
import sys
import textwrap
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.resources import files

from synthpet.runtime.closed_output import ending_with_its_reader
from synthpet.runtime.console import complain, say

WIDTH = 100
FLAG = "--tab-completion"  # prints what bash reads


def overview(package: str, configs: Sequence[str], start: str, arguments: Sequence[str]) -> int:
    """As ``_overview``; ends quietly with whoever reads it."""
    with ending_with_its_reader():
        return _overview(package, configs, start, arguments)


def _overview(package: str, configs: Sequence[str], start: str, arguments: Sequence[str]) -> int:
    """Run the command that was typed, as ``synthpet train``; without one print all, and where to start.

    Args:
        package: ``synthpet`` or ``uad``.
        configs: files of ``configs/`` without ``.yaml``, one a command, whose help begins with what the command does.
        start: what a newcomer does first.
        arguments: what was typed: a command and its options, or nothing.

    Returns:
        The exit code.
    """
    commands = dict(map(_command, configs))
    if arguments and (module := f"{package}.{arguments[0]}") in commands:
        sys.argv = [module, *arguments[1:]]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    if arguments and arguments[0] == FLAG:
        from synthpet.command.tab import bash_script

        names = dict(zip((name.rpartition(".")[2] for name in commands), configs, strict=True))
        say(bash_script(package, FLAG, names).rstrip())
        return 0
    if arguments and arguments[0] not in ("-h", "--help"):
        near = get_close_matches(f"{package}.{arguments[0]}", commands, n=1) or list(commands)
        complain(
            f"UsageError: {package} has no command {arguments[0]!r}; expected "
            f"{', '.join(f'python -m {name}' for name in near)}. `python -m {package}` lists the commands"
        )
        return 64
    longest = max(map(len, commands))
    for name, does in commands.items():
        head = f"  python -m {name:<{longest}}  "
        say(textwrap.fill(does, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)))
    say("")
    say(start)
    say(f"`--help` of each command lists its options; `{package} {FLAG}` is for bash.")
    return 0


def _command(config: str) -> tuple[str, str]:
    """Its module and what it does, as the first line of its help says."""
    text = (files("synthpet.configs") / f"{config}.yaml").read_text(encoding="utf-8")
    found = re.search(r"header: \|-\s+python -m (\S+): (.*)", text)
    if found is None:
        raise ValueError(f"{config}.yaml: its help does not begin with `python -m <command>: <what it does>`")
    return found[1], found[2]
