"""Whether the values of a command line are of the kind that the configuration files have; ranges: ``allowed``."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from synthpet.errors import UsageError

if TYPE_CHECKING:
    from omegaconf import DictConfig

WORDS = {"smooth_fwhm_mm": ("match",), "gamma": ("scale", "auto"), "devices": ("auto",)}  # beside numbers
FREE = ("trainer.devices", "trainer.precision")  # handed to Lightning, which takes several kinds
ANY_LENGTH = ("channels", "seeds")  # a number a level of the network, a number a run


def check_options(cfg: "DictConfig", base: "DictConfig", keys: Iterable[str]) -> None:
    """Hold the values that a user gave to the kind of those in the configuration files.

    Args:
        cfg: the configuration with the user's values.
        base: the same without them.
        keys: options that the user set, with dots.

    Raises:
        UsageError: naming every option with what it has to be.
    """
    problems = []
    for key in keys:
        default, value = (_plain(config, key) for config in (base, cfg))
        expected = None if key in FREE else expected_instead(key.rpartition(".")[2], default, value)
        if expected:
            problems.append(f"{key}={value!r}: expected {expected}, such as {default!r}")
    if problems:
        raise UsageError("\n  ".join(problems))


def _plain(config: "DictConfig", key: str) -> Any:
    """A value as it stands in the file; None where it is missing or refers to another one."""
    from omegaconf import OmegaConf

    value: Any = OmegaConf.to_container(config)
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if isinstance(value, str) and (value == "???" or "${" in value) else value


def expected_instead(name: str, default: Any, value: Any) -> str:
    """What a value has to be; empty where it is.

    Args:
        name: of the option, without its group.
        default: the value in the configuration files; None says nothing of the kind.
        value: the user's; None is left to whoever uses it.
    """
    if default is None or value is None or value in WORDS.get(name, ()):
        return ""
    if isinstance(default, bool) or isinstance(value, bool):
        return "" if isinstance(default, bool) and isinstance(value, bool) else _kind(default)
    if isinstance(default, int | float):
        return _of_number(default, value)
    if isinstance(default, list):
        return _of_list(name, default, value)
    if isinstance(default, dict):
        return "" if isinstance(value, dict) else _kind(default)
    return "" if isinstance(value, str | int | float) else _kind(default)


def _of_number(default: float, value: Any) -> str:
    if isinstance(value, str | list | dict) or (isinstance(default, int) and not isinstance(value, int)):
        return _kind(default)
    return ""


def _of_list(name: str, default: Sequence[Any], value: Any) -> str:
    if not isinstance(value, list):
        return "a list"
    numbers = bool(default) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in default)
    if not numbers:
        return ""
    if name in ANY_LENGTH and not value:
        return "a list, not empty"
    if name not in ANY_LENGTH and len(value) != len(default):
        return f"{len(default)} numbers"
    found = (expected_instead(name, default[0], x) for x in value)
    words = next((words for words in found if words), "")
    return f"a list, each {words}" if words else ""


def _kind(default: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", dict: "names with values"}
    return kinds.get(type(default), type(default).__name__)
