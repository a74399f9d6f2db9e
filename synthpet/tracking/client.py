"""W&B's client, alone: without the environment of other projects, silent, imported when it is needed."""

import os
from collections.abc import MutableMapping
from multiprocessing import current_process
from typing import Any

SERVER = (
    "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CREDENTIALS_FILE", "WANDB_CONFIG_DIR",
    "WANDB_INSECURE_DISABLE_SSL",
)  # fmt: skip
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
