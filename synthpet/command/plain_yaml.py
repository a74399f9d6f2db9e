"""Whether the text of a configuration is harmless before it is read: its size, its aliases, and what it would call."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthpet.errors import UsageError

MAX_BYTES = 100_000  # of a configuration file; ours have some thousands
MAX_VALUES = 10_000  # once its aliases are unfolded
MAX_DEPTH = 50
MAX_REFERENCES = 30  # ${...} in one file: each can repeat another one
HYDRA_RESOLVERS = {"now", "hydra"}  # in Hydra's own settings


def check_yaml_file(path: Path) -> None:
    """Refuse a configuration file that would take for ever, or too much memory, to read, or reads the environment.

    Raises:
        UsageError: a pipe or device, or as ``check_yaml`` says.
    """
    try:
        found = path.stat()
    except OSError:  # Hydra says so with the places that it has looked at
        return
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
        raise UsageError(
            f"E_YAML {path}: found {found.st_size:,} bytes or no plain file; expected YAML of at most {MAX_BYTES:,}"
        )
    check_yaml(path.read_text(encoding="utf-8", errors="replace"), str(path))


def check_yaml(text: str, name: str) -> None:
    """The same for text that has been read; ``name`` stands in messages.

    Raises:
        UsageError: no YAML, aliases that unfold to too much, too deep, or a resolver.
    """
    import yaml

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        n_values = _unfolded(root)
    except yaml.YAMLError as error:
        raise UsageError(f"E_YAML {name}: {error}; expected plain YAML") from error
    except RecursionError as error:
        raise UsageError(f"E_YAML {name}: nested too deeply; expected at most {MAX_DEPTH} levels") from error
    if n_values > MAX_VALUES or text.count("${") > MAX_REFERENCES:
        raise UsageError(
            f"E_YAML {name}: found {n_values:,} values with its aliases unfolded and {text.count('${')} references; "
            f"expected at most {MAX_VALUES:,} and {MAX_REFERENCES}"
        )
    refuse_resolvers([value for value in _texts(root) if set(resolvers(value)) - HYDRA_RESOLVERS], name)


def refuse_resolvers(found: list[str], name: str = "configuration") -> None:
    """Stop where there are any.

    Raises:
        UsageError: naming them.
    """
    if found:
        raise UsageError(
            f"E_RESOLVER {name}: found {', '.join(found)}; expected values, or ${{option}} for that of another option: "
            "no resolver such as oc.env, which would write this machine's environment into the results. Leave it out, "
            "and read the rest of a file in which it stood before you use it."
        )


def resolvers(value: object) -> Iterator[str]:
    """Names of the functions that a value asks OmegaConf to call, as written: ``oc.env`` of ``${oc.env:X}``."""
    if not isinstance(value, str) or "${" not in value:
        return
    from omegaconf.errors import GrammarParseError
    from omegaconf.grammar.gen.OmegaConfGrammarParser import OmegaConfGrammarParser
    from omegaconf.grammar_parser import parse

    try:
        waiting = [parse(value)]
    except GrammarParseError:  # nothing that could be called
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, OmegaConfGrammarParser.InterpolationResolverContext):
            yield node.resolverName().getText()
        waiting += getattr(node, "children", None) or ()


def _children(node: Any) -> list[Any]:
    parts = node.value if isinstance(getattr(node, "value", None), list) else ()
    return [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]


def _unfolded(root: Any) -> int:
    """How many values a YAML tree has once every alias is replaced by what it stands for."""
    counted: dict[int, int] = {}

    def count(node: Any, depth: int) -> int:
        if depth > MAX_DEPTH:  # also an alias of what it stands in
            raise RecursionError
        if id(node) not in counted:
            counted[id(node)] = 1 + sum(count(child, depth + 1) for child in _children(node))
        return counted[id(node)]

    return count(root, 0)


def _texts(node: Any) -> Iterator[str]:
    """Every word of a YAML tree whose aliases unfold to no more than a reader can bear."""
    if isinstance(getattr(node, "value", None), str):
        yield node.value
    for child in _children(node):
        yield from _texts(child)
