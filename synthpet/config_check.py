"""Hold a configuration to what it may say: values, never code to run.

Hydra calls whatever stands under ``_target_`` and whatever a logging section names as a class; its own list of
forbidden names misses ``joblib.load``, ``numpy.load``, ``torch.load`` and ``builtins.open``. This project instantiates
nothing from a configuration, so that only Hydra's own launchers and sweepers are allowed; the check stands between
composing and everything that Hydra does with the result. Of OmegaConf's resolvers, ``${oc.env:HOME}`` and the like,
none is used by this project's options: they would copy the environment of whoever runs a command into its results.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthpet.config_sources import hold_sources
from synthpet.errors import UsageError
from synthpet.plain_yaml import HYDRA_RESOLVERS, refuse_resolvers, resolvers

if TYPE_CHECKING:
    from omegaconf import DictConfig

PLUGINS = re.compile(r"hydra\._internal\.core_plugins\.\w+\.\w+|hydra_plugins(\.\w+)+")
PLUGIN_KEYS = ("hydra.launcher._target_", "hydra.sweeper._target_")
LOGGING = ("hydra.job_logging.", "hydra.hydra_logging.")
LOGGING_CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "colorlog.ColoredFormatter")
STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def guard_hydra() -> None:
    """From now on ``check_configuration`` sees every configuration that Hydra composes before Hydra acts on it."""
    hold_sources()
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from yaml import YAMLError

    load = ConfigLoaderImpl.load_configuration
    if hasattr(load, "__wrapped__"):
        return

    @functools.wraps(load)
    def load_and_check(*args: Any, **kwargs: Any) -> "DictConfig":
        try:
            cfg = load(*args, **kwargs)
        except YAMLError as error:  # also a tag that would make a Python object
            raise UsageError(f"E_YAML configuration: {error}; expected plain YAML") from error
        check_configuration(cfg)
        return cfg

    ConfigLoaderImpl.load_configuration = load_and_check  # type: ignore[method-assign]


def check_configuration(cfg: "DictConfig") -> None:
    """Refuse a configuration that would run code or change the environment of the programs that are called.

    Raises:
        UsageError: naming every key that is not allowed.
    """
    from omegaconf import OmegaConf

    leaves = list(_leaves(OmegaConf.to_container(cfg)))
    refuse_resolvers([f"{key}={value}" for key, value in leaves if set(resolvers(value)) - _resolvers_of(key)])
    problems = [f"{key}={value}" for key, value in leaves if not _is_allowed(key, value)]
    if problems:
        raise UsageError(
            f"E_TARGET configuration: found {', '.join(problems)}; expected values, not code to run: no _target_ but "
            "that of Hydra's own launchers and sweepers, no callbacks, no env_set. Leave it out, and read the rest of "
            "a file in which it stood before you use it."
        )


def _is_allowed(key: str, value: object) -> bool:
    last = key.rsplit(".", 1)[-1]
    if last == "_target_":
        return key in PLUGIN_KEYS and PLUGINS.fullmatch(str(value)) is not None
    if key.startswith(LOGGING):
        if last in ("()", "class", "factory"):
            return value in LOGGING_CLASSES
        return "://" not in str(value) or value in STREAMS
    return not key.startswith(("hydra.callbacks.", "hydra.job.env_set."))


def _resolvers_of(key: str) -> set[str]:
    return HYDRA_RESOLVERS if key.startswith("hydra.") else set()


def _leaves(node: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value that is no mapping or list, with its key in dots."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from _leaves(child, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from _leaves(child, f"{key}.{number}")
    else:
        yield key, node
