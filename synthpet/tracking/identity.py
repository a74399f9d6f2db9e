"""Which run of W&B a thing's parts belong to: the same id tomorrow, another one for another study or configuration."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from synthpet.cohort.files import write_text

TOKEN = "study.txt"  # noqa: S105 - below W&B's folder; what tells this study from the same one of somebody else


def run_id(wandb_folder: Path, kind: str, name: str, about: Mapping[str, Any]) -> str:
    """16 hexadecimal digits, the same in each command of a study.

    Args:
        wandb_folder: of the study; without it the study has other ids, also for what was shared and deleted since.
        kind: generator, detector or comparison.
        name: within the study.
        about: plain values; when one changes, what is made is another thing and gets a run of its own.
    """
    told = json.dumps([_token(wandb_folder), kind, name, about], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def was_begun(wandb_folder: Path, identity: str) -> bool:
    """Whether a part of the run lies there, offline or online."""
    return any(wandb_folder.glob(f"*run-*-{identity}"))


def _token(wandb_folder: Path) -> str:
    """Drawn once for a study, at random: two people with the same simulated cohort do not write into one run."""
    path = wandb_folder / TOKEN
    wandb_folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # processes of one command may begin at the same time
        if not path.is_file():
            write_text(path, secrets.token_hex(16))
        return path.read_text()
