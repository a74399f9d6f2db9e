"""From a command line to a configuration: Hydra, with this project's exit codes and messages.

Exit codes: 0 done, 64 wrong option, 65 bad data, 70 internal, 74 disk, 75 busy, 130 Ctrl-C, 143 SIGTERM.
Only Hydra is imported here; a command imports its heavy libraries inside its function, so that ``--help`` and
a misspelt option answer at once.
"""

import difflib
import errno
import functools
import os
import re
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from synthpet.command.allowed import check_values
from synthpet.command.arguments import expand
from synthpet.command.config_names import config_names
from synthpet.command.help import explain_options
from synthpet.command.safe_config import guard_hydra
from synthpet.errors import DiskError, Stopped, SynthPetError
from synthpet.runtime.closed_output import CLOSED, ending_with_its_reader
from synthpet.runtime.console import complain
from synthpet.runtime.signals import stopping_by_signal
from synthpet.runtime.surroundings import settle

if TYPE_CHECKING:
    from omegaconf import DictConfig

T = TypeVar("T")
CONFIG_PATH = "pkg://synthpet.configs"
ERROR_LOG = "error.log"  # below the results
ARGPARSE_REFUSED = 2
LEAVE_S = 10.0
NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")  # GPU, Torch on the CPU, the system
SHORT_WRITE = r"\d+ requested and \d+ written"  # NumPy's words for a full disk, without a number
DISK_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO, errno.EFBIG)


def command(config_name: str) -> Callable[[Callable[["DictConfig"], object]], Callable[[], None]]:
    """Make ``run(cfg)`` a command line program configured by ``configs/<config_name>.yaml``."""

    def wrap(run: Callable[["DictConfig"], object]) -> Callable[[], None]:
        @functools.wraps(run)
        def main() -> None:
            with ending_with_its_reader():
                start()

        def start() -> None:
            import hydra

            settle()
            guard_hydra()
            explain_options()
            sys.argv[1:] = expand(sys.argv[1:])
            try:
                with stopping_by_signal():
                    hydra.main(version_base="1.3", config_path=CONFIG_PATH, config_name=config_name)(
                        _checked(run, config_name)
                    )()
            except (Exception, KeyboardInterrupt, Stopped) as error:
                _exit_on_error(error)
            except SystemExit as error:
                if error.code == ARGPARSE_REFUSED:
                    complain("  Options have no dashes: write gan=patch3d rather than --gan patch3d.")
                    sys.exit(64)
                raise

        main.__wrapped__ = run  # type: ignore[attr-defined]
        return main

    return wrap


def compose(config_name: str, *overrides: str) -> "DictConfig":
    """The configuration that ``python -m ... <overrides>`` would run with, for notebooks, tests and other commands."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    guard_hydra()
    if GlobalHydra.instance().is_initialized():  # within a command
        cfg = hydra_compose(config_name, expand(overrides))
    else:
        with initialize_config_module("synthpet.configs", version_base="1.3"):
            cfg = hydra_compose(config_name, expand(overrides))
    check_values(cfg)
    _name_cohort(cfg)
    return cfg


def _name_cohort(cfg: "DictConfig") -> None:
    """A cohort without a name has that of the folder that is read."""
    from omegaconf import OmegaConf

    if "bids_dir" in cfg and OmegaConf.is_missing(cfg.cohort, "name"):
        cfg.cohort.name = Path(cfg.bids_dir or cfg.get("verify") or "").resolve().name


def typed(kind: type[T], cfg: "DictConfig") -> T:
    """A command's options from its configuration; below the command nobody sees a configuration.

    Args:
        kind: a frozen dataclass of ``synthpet.runtime.options``.
        cfg: the configuration, checked.
    """
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    return kind.of(values)  # type: ignore[attr-defined]


def _checked(run: Callable[["DictConfig"], object], config_name: str) -> Callable[["DictConfig"], None]:
    @functools.wraps(run)
    def task(cfg: "DictConfig") -> None:
        from synthpet.tracking.mode import settled
        from synthpet.tracking.options import LoggerOptions

        try:
            _check_options(cfg, config_name)
            check_values(cfg)
            if (work_dir := _work_dir(cfg)) is not None:
                from synthpet.runtime.claim import check_place

                check_place(work_dir)
            _name_cohort(cfg)
            if "mode" in cfg.get("logger", {}):
                cfg.logger.mode = settled(LoggerOptions.of(cfg.logger)).mode
            run(cfg)
        except (Exception, KeyboardInterrupt, Stopped) as error:  # before Hydra adds words of its own
            _exit_on_error(error, _work_dir(cfg))

    return task


def _work_dir(cfg: "DictConfig") -> Path | None:
    from omegaconf.errors import OmegaConfBaseException

    try:
        return Path(str(cfg.work_dir))
    except OmegaConfBaseException:  # it is named after a cohort that was not given
        return None


def _check_options(cfg: "DictConfig", config_name: str) -> None:
    """Compare the values of the command line with those that the files have; groups stay as they were chosen.

    Raises:
        UsageError: a value of another kind.
    """
    from hydra.core.hydra_config import HydraConfig

    from synthpet.command.options import check_options

    given = [text for text in HydraConfig.get().overrides.task if "=" in text]
    chosen = HydraConfig.get().runtime.choices
    groups = [text for text in given if text.partition("=")[0] in chosen]
    keys = [text.partition("=")[0] for text in given if text not in groups and text[0] not in "+~"]
    if keys:
        check_options(cfg, compose(config_name, *groups), keys)


def _exit_on_error(error: BaseException, work_dir: Path | None = None) -> NoReturn:
    from hydra.errors import HydraException

    if isinstance(error, KeyboardInterrupt | Stopped):
        complain("Interrupted. What was finished is kept; the same command goes on from there.")
        _leave(error.exit_code if isinstance(error, Stopped) else 130)
    if isinstance(error, BrokenPipeError):
        sys.exit(CLOSED)
    if isinstance(error, SynthPetError):
        complain(f"{type(error).__name__}: {error}")
        sys.exit(error.exit_code)
    if isinstance(error, HydraException) or type(error).__module__.startswith("omegaconf"):
        complain(_usage_message(error))
        sys.exit(64)
    disk = _refused_by_disk(error)
    if disk is not None:
        free = shutil.disk_usage(next(p for p in (work_dir or Path()).absolute().parents if p.exists())).free
        why = os.strerror(disk.errno or errno.ENOSPC)
        complain(
            f"DiskError: E_DISK {disk.filename or work_dir or ''}: {why}, {free:,} bytes free"
            "; expected a folder with space and rights to write; the same command goes on from what is finished"
        )
        sys.exit(DiskError.exit_code)
    complain(_internal_message(error, work_dir).rstrip())
    sys.exit(70)


def _leave(exit_code: int) -> NoReturn:
    """End; a thread that waits for a worker or a server keeps a stopped command no longer than ``LEAVE_S``."""
    late = threading.Timer(LEAVE_S, os._exit, (exit_code,))
    late.daemon = True
    late.start()
    sys.exit(exit_code)


def _refused_by_disk(error: BaseException) -> OSError | None:
    """The refusal behind an error: libraries pack it into errors of their own."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and (seen.errno in DISK_ERRNOS or re.search(SHORT_WRITE, str(seen))):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _internal_message(error: BaseException, work_dir: Path | None) -> str:
    """What happened and where the whole traceback lies; the traceback itself where no file can be written."""
    text = "".join(traceback.format_exception(error))
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(place[0].filename).name}:{place[0].lineno})" if place else ""
    said = f"{type(error).__name__}: {str(error).strip()[:500] or 'no words'}{where}"
    said += "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in NO_MEMORY):
        said += ". Too little memory: fewer at once (compute.n_jobs=1), or a smaller gan.batch_size or gan.patch_size"
    try:
        from synthpet.cohort.files import write_text

        log = write_text((work_dir or Path(tempfile.gettempdir())) / ERROR_LOG, text)
    except Exception:  # the first error matters more than that it cannot be written down
        return f"E_INTERNAL {said}\n{text}"
    return f"E_INTERNAL {said}\n  The whole traceback: {log}. Please report it.\n"


def _usage_message(error: BaseException) -> str:
    """Hydra's words, with the nearest valid names added."""
    text = str(error).strip()
    cause = str(error.__cause__ or "").strip()
    lines = [f"UsageError: {text.splitlines()[0]}"]
    missing = re.search(r"issing mandatory value: (\S+)", text)
    if missing:
        whole = str(getattr(error, "full_key", ""))  # a message can have its last part alone
        name = whole if whole.endswith(f".{missing[1]}") else missing[1]
        name = "bids_dir" if name == "cohort.name" else name  # which is named after the folder
        lines = [f"UsageError: {name} was not given; expected {name}=<...>"]
    option = re.search(r"Could not override '([^']+)'|Could not find '([^']+)'", text + cause)
    if option:
        names = config_names()
        wanted = option[1] or option[2]
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
        if near:
            lines.append(f"  Did you mean: {', '.join(near)}?")
    available = re.search(r"Available options in '([^']+)':\n((?:\t.*\n?)+)", text)
    if available:
        lines.append(f"  {available[1]} can be: {', '.join(available[2].split())}")
    lines.append("  `--help` lists the options.")
    return "\n".join(lines)
