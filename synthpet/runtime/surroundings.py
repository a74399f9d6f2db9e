"""What a command finds around it, made the same everywhere: other programs' variables, the locale, the module path.

A cluster, a shell profile or another project leaves variables behind that the libraries underneath obey: they would
train as one of four processes that are not there, interpret what is meant to be compiled, or fail at the last line.
"""

import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

# Schedulers and launchers of several processes; settings of Lightning, numba, ITK; single switches of libraries
OTHERS = ("SLURM_", "PMI_", "PMIX_", "OMPI_", "LSB_", "JSM_", "TORCHELASTIC_", "PET_", "PL_", "NUMBA_", "ITK_", "ANTS_")
OTHERS_SINGLE = (
    "RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "STANDALONE_PORT", "HYDRA_MAIN_MODULE", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD",
    "TORCH_LOGS", "SCIPY_ARRAY_API", "PYTHONWARNINGS", "LOKY_PICKLER",
)  # fmt: skip
KEPT = ("NUMBA_CACHE_DIR",)  # a place that the user chose
NO_HOME = "/nonexistent"  # where nobody can have left settings, keys or modules for others
THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)  # fmt: skip


def settle() -> None:
    """Make the surroundings of this process, and of those that it starts, what the libraries expect; once a command."""
    leave_out_others(os.environ)
    _name_the_user(os.environ)
    _start_again_in_utf8()
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # closed, or not a real one
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
            os.environ["PYTHONIOENCODING"] = f"{stream.encoding}:backslashreplace"  # of processes that say something
    sys.path[:] = [place for place in sys.path if not _is_only_here(place)]
    _warnings_are_no_errors()
    plain_figures()


def plain_figures() -> None:
    """Draw as Matplotlib does by itself, whatever a ``matplotlibrc`` in the current folder says; once a process.

    That of the user is not read, since ``MATPLOTLIBRC`` names Matplotlib's own.
    """
    if not Path("matplotlibrc").exists():
        return
    here = Path.cwd()
    os.chdir(os.sep)
    try:
        importlib.import_module("matplotlib")
    finally:
        os.chdir(here)


def leave_out_others(environment: MutableMapping[str, str]) -> None:
    """Remove what other programs have set for themselves; a number of threads stays where it is one."""
    for name in list(environment):
        if name in KEPT:
            continue
        if name.startswith(OTHERS) or name in OTHERS_SINGLE or (name in THREADS and not _is_number(environment[name])):
            del environment[name]
    environment["MPLBACKEND"] = "agg"
    environment["MATPLOTLIBRC"] = str(Path(_place_of("matplotlib"), "mpl-data", "matplotlibrc"))
    environment["HYDRA_FULL_ERROR"] = "1"  # errors reach our own exit instead of Hydra's


def _place_of(package: str) -> str:
    """Where a package is installed; it is not imported."""
    found = importlib.util.find_spec(package)
    return found.submodule_search_locations[0] if found and found.submodule_search_locations else ""


def _is_number(text: str) -> bool:
    """Whether OpenMP takes it: a whole number above 0, or several for nested levels."""
    return all(part.strip().isdecimal() and int(part) > 0 for part in text.split(","))


def _name_the_user(environment: MutableMapping[str, str]) -> None:
    """A user without an entry in the machine's list (``docker run --user``) has neither a name nor a home."""
    import pwd

    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        environment.setdefault("LOGNAME", "user")
        environment.setdefault("HOME", NO_HOME)


def _start_again_in_utf8() -> None:
    """Where names of files are read in another encoding, start this command anew in Python's UTF-8 mode.

    Libraries in C++ take every path as UTF-8, and text files are UTF-8 whatever the locale. The terminal keeps its own.
    """
    if sys.getfilesystemencoding() == "utf-8" or sys.flags.utf8_mode:
        return
    os.environ["PYTHONUTF8"] = "1"  # processes of this command, too
    shown_in = getattr(sys.stdout, "encoding", "utf-8")
    os.environ.setdefault("PYTHONIOENCODING", f"{shown_in}:backslashreplace")
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - itself


def _is_only_here(place: str) -> bool:
    """Whether modules would be taken from the current folder just because somebody stands in it."""
    package = Path(__file__).resolve().parents[2]
    try:
        here = Path.cwd()
        return Path(place).resolve() == here != package
    except OSError:  # the folder is gone
        return place == ""


def _warnings_are_no_errors() -> None:
    """A warning of a library does not end a run, whatever ``python -W`` or PYTHONWARNINGS say of other programs."""
    sys.warnoptions[:] = [option for option in sys.warnoptions if not option.startswith("error")]
    kept = [found for found in warnings.filters if found[0] != "error"]
    if len(kept) < len(warnings.filters):
        warnings.resetwarnings()
        warnings.filters[:] = kept  # type: ignore[index]
