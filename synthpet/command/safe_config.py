"""Hold a configuration to what it may say: values, never code to run.

Hydra calls whatever stands under ``_target_`` and whatever a logging section names as a class; its own list of
forbidden names misses ``joblib.load``, ``numpy.load``, ``torch.load`` and ``builtins.open``. This project instantiates
nothing from a configuration, so that only Hydra's own launchers and sweepers are allowed; the check stands between
composing and everything that Hydra does with the result. Of OmegaConf's resolvers, ``${oc.env:HOME}`` and the like,
none is used by this project's options: they would copy the environment of whoever runs a command into its results.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthpet.command.config_sources import hold_sources
from synthpet.command.plain_yaml import HYDRA_RESOLVERS, refuse_resolvers, resolvers
from synthpet.errors import UsageError, one_line

if TYPE_CHECKING:
    from omegaconf import DictConfig

PLUGINS = re.compile(r"hydra\._internal\.core_plugins\.\w+\.\w+|hydra_plugins(\.\w+)+")
PLUGIN_KEYS = ("hydra.launcher._target_", "hydra.sweeper._target_")
LOGGING = ("hydra.job_logging.", "hydra.hydra_logging.")
LOGGING_CLASSES = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "colorlog.ColoredFormatter")
NAMES = ("name", "study_name")  # last part of options that become parts of folders' names
LONGEST, LONGEST_COHORT = 80, 200  # bytes; a file system takes 255, and a folder can be named after three options
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
FOLDERS = {  # where Hydra would write by itself: as in base.yaml, or as it comes where that is not read
    "hydra.run.dir": (".", "outputs/${now:%Y-%m-%d}/${now:%H-%M-%S}"),
    "hydra.sweep.dir": (".", "multirun/${now:%Y-%m-%d}/${now:%H-%M-%S}"),
    "hydra.sweep.subdir": (".", "${hydra.job.num}"),
    "hydra.output_subdir": (None, ".hydra"),
    "hydra.job.chdir": (None, False),
}
LOG = "${hydra.runtime.output_dir}/${hydra.job.name}.log"
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
    check_names(cfg, (key for key, _ in leaves if _is_name(key)))
    problems = [f"{key}={value}" for key, value in leaves if not _is_allowed(key, value)]
    if problems:
        raise UsageError(
            f"E_TARGET configuration: found {', '.join(problems)}; expected values, not code to run: no _target_ but "
            "that of Hydra's own launchers and sweepers, no callbacks, no env_set, no folder or log of Hydra's. Leave "
            "it out, and read the rest of a file in which it stood before you use it."
        )


def check_names(cfg: "DictConfig", keys: Iterable[str]) -> None:
    """Refuse names of which folders would be made elsewhere: results of a name lie in the folder that was asked for.

    Args:
        cfg: the configuration.
        keys: of its names, with dots.

    Raises:
        UsageError: a name that is not one part of a path, holds control characters or is too long for a file system.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for key in keys:
        try:
            name = OmegaConf.select(cfg, key)
        except OmegaConfBaseException:  # it refers to what was not given, which is said where it is used
            continue
        if name is None:
            continue
        text, longest = str(name), LONGEST_COHORT if key == "cohort.name" else LONGEST
        too_long = len(text.encode(errors="surrogateescape")) > longest
        if text.strip() in ("", ".", "..") or "/" in text or CONTROL.search(text) or too_long:
            raise UsageError(
                f"E_NAME {key}={one_line(text[:longest])!r}: expected the name of a folder, not a path: no / and no "
                f"control characters in it, 1 to {longest} bytes long"
            )


def _is_name(key: str) -> bool:
    return key.rpartition(".")[2] in NAMES and not key.startswith("hydra.")


def _is_allowed(key: str, value: object) -> bool:
    last = key.rsplit(".", 1)[-1]
    if key in FOLDERS:
        return value in FOLDERS[key]
    if key == "hydra.job.name" and "/" in str(value):  # part of the path of a log
        return False
    if last == "_target_":
        return key in PLUGIN_KEYS and PLUGINS.fullmatch(str(value)) is not None
    if key.startswith(LOGGING):
        if last in ("()", "class", "factory"):
            return value in LOGGING_CLASSES
        if last == "filename":
            return value == LOG
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
