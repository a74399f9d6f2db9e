"""W&B's client, alone: without the environment of other projects, silent, imported when it is needed."""

import os
import shutil
from collections.abc import MutableMapping
from contextlib import suppress
from multiprocessing import current_process
from pathlib import Path
from typing import Any

SERVER = (
    "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CREDENTIALS_FILE", "WANDB_CONFIG_DIR",
    "WANDB_INSECURE_DISABLE_SSL",
)  # fmt: skip
WAIT_S = 30  # for W&B to start a run, and to upload what is left of it at its end
_settled: list[bool] = []  # whether this process has left out what other projects told W&B


def import_wandb() -> Any:
    """W&B's client, told to be silent and to report nothing about itself, which it otherwise does offline too.

    Raises:
        ImportError: it is not installed.
    """
    if not _settled:
        leave_out_other_projects(os.environ)
        _settled.append(True)
    import wandb

    return wandb


def leave_out_other_projects(environment: MutableMapping[str, str]) -> None:
    """Keep what reaches and trusts the server: ids, names, tags, notes of others would become those of our runs."""
    kept = SERVER if current_process().name == "MainProcess" else (*SERVER, "WANDB_SERVICE")  # our parent's
    for name in [name for name in environment if name.startswith("WANDB_") and name not in kept]:
        del environment[name]
    environment.update({"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"})


def init(mode: str, folder: Path, **about: Any) -> Any:
    """A run that goes on where another part of it, with the same ``id``, has ended.

    Args:
        mode: online or offline.
        folder: of the study; W&B writes below its ``wandb``.
        about: of ``wandb.init``.
    """
    wandb = import_wandb()
    if not os.access(Path.home(), os.W_OK):  # where W&B writes a log of its own, or says at length that it could not
        os.environ["WANDB_CACHE_DIR"] = str(folder / "wandb" / "cache")
    os.environ["WANDB_DATA_DIR"] = str(folder / "wandb")  # copies of tables: not in the home folder
    return wandb.init(mode=mode, dir=folder, settings=_settings(wandb), reinit="create_new", resume="allow", **about)


def drop_logs(run: Any) -> None:
    """Remove W&B's own logs of a run, which tell the machine's folders and go along when the folder is handed on."""
    folder = Path(run.dir).parent  # of the run; run.dir holds its files
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for link in folder.parent.glob("debug*.log"):
        link.unlink(missing_ok=True)


def let_go(run: Any) -> None:
    """End the run and W&B's process, or what is left of them: they neither wait nor complain when Python ends."""
    with suppress(Exception):  # it is broken already
        run.finish(exit_code=1)
    with suppress(Exception):
        import_wandb().teardown(exit_code=1)


def _settings(wandb: Any) -> Any:
    """Nothing of the machine, the person or the code; no endless waiting."""
    return wandb.Settings(
        host="",
        username="",
        email="",
        disable_code=True,
        disable_git=True,
        save_code=False,
        console="off",
        silent=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=WAIT_S,
        finish_timeout=WAIT_S,
    )
