"""What the tab key completes in ``synthpet`` and ``uad``: commands, ``group=option`` and keys of the configuration."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from synthpet.command.main import compose

SCRIPT = """\
# {package} for bash: {package} {flag} > ~/.local/share/bash-completion/completions/{package}
_{package}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "{commands} --help" -S " " -- "$word")); return
  fi
  case ${{COMP_WORDS[1]}} in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word"))
}}
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
complete -o nospace -F _{package} {package}
"""


def bash_script(package: str, flag: str, commands: Mapping[str, str]) -> str:
    """The script that bash reads.

    Args:
        package: ``synthpet`` or ``uad``.
        flag: that prints the script.
        commands: name of each, as ``train``, to its file of ``configs/`` without ``.yaml``.
    """
    cases = "\n".join(f'    {name}) words="{" ".join(words_of(config))}" ;;' for name, config in commands.items())
    return SCRIPT.format(package=package, flag=flag, commands=" ".join(commands), cases=cases)


def words_of(config: str) -> list[str]:
    """What a command can be given: ``gan=patch3d`` for the groups that it has, ``gan.n_steps=`` for its keys."""
    from omegaconf import OmegaConf

    values: Any = OmegaConf.to_container(compose(config), resolve=False)
    return [*_groups(values), *(f"{key}=" for key in _keys(values)), "--help"]


def _groups(values: Mapping[str, Any]) -> Iterator[str]:
    """Choices of each group that the configuration has; a study is no group of its own in it."""
    for folder in sorted(files("synthpet.configs").iterdir(), key=lambda item: item.name):
        if folder.is_dir() and (folder.name in values or (folder.name == "study" and "study_name" in values)):
            names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))
            yield from (f"{folder.name}={name.removesuffix('.yaml')}" for name in names)


def _keys(values: Mapping[str, Any], parents: Sequence[str] = ()) -> Iterator[str]:
    for key, value in values.items():
        path = (*parents, str(key))
        if isinstance(value, dict) and value:
            yield from _keys(value, path)
        else:
            yield ".".join(path)
