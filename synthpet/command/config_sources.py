"""Where Hydra takes configurations and plugins from: plain files of bounded size and this installation, nothing else.

A configuration can come from a stranger, and the current folder can hold anything. Hydra by itself imports plugins and
configuration packages from there, unpickles a former run, and unfolds a YAML file to whatever its aliases claim.
To install a package is a decision: one that declares an entry point of the group ``synthpet.configs``, whose value is a
package with YAML files as in ``configs/``, adds them to ours.
"""

import functools
import importlib
import sys
import sysconfig
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from synthpet.command.plain_yaml import check_yaml_file
from synthpet.errors import UsageError
from synthpet.runtime.console import complain
from synthpet.runtime.registry import installed

OUR_CONFIGS = "pkg://synthpet.configs"
INSTALLED_CONFIGS = "synthpet.configs"  # group of entry points
FROM_A_USER = ("command-line", "main", "hydra.searchpath")  # how Hydra names places that a user, or a file, has chosen


def hold_sources() -> None:
    """From now on Hydra finds plugins in the installation, configurations in files, and unpickles nothing."""
    from hydra._internal.config_repository import ConfigRepository
    from hydra.core.plugins import Plugins

    if hasattr(Plugins._initialize, "__wrapped__"):
        return
    find_plugins, open_places, read = (
        Plugins._initialize, ConfigRepository.initialize_sources, ConfigRepository.load_config
    )  # fmt: skip

    @functools.wraps(find_plugins)
    def find_installed_plugins(self: Any) -> None:
        before = sys.path[:]
        sys.path[:] = list(_installation(before))
        try:
            find_plugins(self)
        finally:
            sys.path[:] = before

    @functools.wraps(open_places)
    def open_folders(self: Any, places: Any) -> None:
        for place in places.get_path():
            _check_place(str(place.provider), str(place.path))
        _add_installed(places.get_path())
        open_places(self, places)

    @functools.wraps(read)
    def read_plain(self: Any, config_path: str) -> Any:
        for source in self.sources:
            if source.scheme() == "file":
                check_yaml_file(Path(source.path, source._normalize_file_name(config_path)))
        return read(self, config_path)

    Plugins._initialize = find_installed_plugins  # type: ignore[method-assign]
    ConfigRepository.initialize_sources = open_folders  # type: ignore[method-assign]
    ConfigRepository.load_config = read_plain  # type: ignore[method-assign]
    importlib.import_module("hydra.main")._get_rerun_conf = _refuse_rerun  # type: ignore[attr-defined]


def _add_installed(places: Any) -> None:
    """Let Hydra look into installed packages, too, after all that is there: none replaces a file of ours."""
    from hydra.core.config_search_path import SearchPathElement

    known = {str(place.path) for place in places}
    if OUR_CONFIGS not in known:
        return
    for name, package in sorted(installed(INSTALLED_CONFIGS).items()):
        if f"pkg://{package}" in known:
            continue
        try:
            files(package)
        except Exception as error:  # whatever somebody else's package raises when it is imported
            complain(
                f"configurations of the installed package {package} ({name}) cannot be read and are left out: {error}"
            )
            continue
        places.insert(len(places) - 1, SearchPathElement("installed", f"pkg://{package}"))  # the schema stays last


def _refuse_rerun(*_: object) -> NoReturn:
    raise UsageError(
        "--experimental-rerun: it would read a pickle, which can run code; expected options as key=value. The options "
        "of a former run stand in its run.json"
    )


def _installation(places: list[str]) -> Iterator[str]:
    """Those entries of the module path that belong to this Python and to what is installed into it."""
    import hydra

    paths = sysconfig.get_paths()
    roots = {Path(paths[name]).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.add(Path(hydra.__file__).resolve().parents[1])
    for place in places:
        found = Path(place).resolve()
        if place and any(found.is_relative_to(root) for root in roots):
            yield place


def _check_place(provider: str, path: str) -> None:
    scheme = path.partition("://")[0] if "://" in path else "file"
    if provider.startswith(FROM_A_USER) and scheme != "file" and path != OUR_CONFIGS:
        raise UsageError(
            f"E_SEARCHPATH {path} ({provider}): found a package, which would be imported; expected a folder of YAML "
            "files, as with --config-dir=<folder>"
        )
