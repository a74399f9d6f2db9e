"""Whether W&B is used, how, and what a study is called there; wandb is not imported unless online."""

import os
import re
from dataclasses import replace
from importlib.util import find_spec
from socket import gaierror
from urllib.error import HTTPError
from urllib.request import urlopen

from synthpet.errors import UsageError
from synthpet.runtime.console import say
from synthpet.tracking.options import LoggerOptions, TrackedStudy

MODES = ("offline", "online", "off")
WAIT_S = 10  # for the server to answer
LOCAL = "all results and metrics.jsonl are written as ever"


def is_wanted(logger: LoggerOptions) -> bool:
    """Whether W&B is asked for, in this process.

    Raises:
        UsageError: an unknown ``logger.mode``.
    """
    if logger.name != "wandb":
        return False
    if logger.mode not in MODES:
        raise UsageError(f"logger.mode={logger.mode}: expected {', '.join(MODES[:-1])} or {MODES[-1]}")
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # one run, however many processes
    return bool(logger.mode != "off" and first and mode_of_the_machine() != "off")


def mode_of_the_machine() -> str | None:
    """``off`` or ``offline`` where the person has told W&B so for everything on this machine."""
    mode = os.environ.get("WANDB_MODE", "").lower()
    if mode == "disabled" or os.environ.get("WANDB_DISABLED", "").lower() in ("true", "1", "yes", "on"):
        return "off"
    return "offline" if mode in ("offline", "dryrun") else None


def settled(logger: LoggerOptions) -> LoggerOptions:
    """The options with the mode that works here, asked once a command: processes that it starts ask no more.

    Says once what does not work: W&B is not installed (off), or online does not answer or refuses the key (offline).
    What the machine forbids (``WANDB_MODE=disabled`` or ``offline``) is kept to; nothing there turns it online.
    """
    told = mode_of_the_machine()
    if told is not None and logger.mode in {"off": ("online", "offline"), "offline": ("online",)}[told]:
        say(f"W&B is {told} on this machine (WANDB_MODE or WANDB_DISABLED), so it is {told} here; {LOCAL}")
    if not is_wanted(logger):
        return logger
    mode = "offline" if logger.mode == "online" and told == "offline" else logger.mode
    if not _is_installed():
        mode = "off"
        say(f"W&B is not installed (`pip install wandb`), nothing is logged to it; {LOCAL}")
    elif mode == "online":
        try:
            check_online()
        except Exception as error:  # whatever W&B raises
            mode = "offline"
            say(f"W&B cannot be used online ({in_a_line(error)}), so it is used offline; {LOCAL}")
    return logger if mode == logger.mode else replace(logger, mode=mode)


def _is_installed() -> bool:
    try:
        return find_spec("wandb") is not None
    except ImportError:
        return False


def check_online() -> None:
    """Ask the server whether it knows the key; never asks the person.

    Raises:
        Exception: there is no key, the server does not know it, or does not answer.
    """
    from synthpet.tracking.client import import_wandb

    wandb = import_wandb()
    _check_answer(wandb.setup().settings.base_url)
    if not wandb.login(prompt=False, verify=True):
        raise PermissionError("there is no API key; `wandb login` stores one")


def _check_answer(url: str) -> None:
    """Whether anybody answers there: W&B itself tries for longer than a person waits, and then says something else."""
    try:
        urlopen(url, timeout=WAIT_S).close()  # noqa: S310 - the address that W&B is configured with
    except HTTPError:
        return  # an answer
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionError | TimeoutError | gaierror):
            raise ConnectionError(f"{url} does not answer: {reason}") from error


def in_a_line(error: BaseException, longest: int = 160) -> str:
    """The words of an error, or its kind where it has none, in one line."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= longest else words[: longest - 1] + "…"


def group_of(study: TrackedStudy, fingerprint: str) -> str:
    """What the study is called in W&B: a folder's name, which may tell something, is not used unasked.

    Args:
        study: whose runs these are.
        fingerprint: of the cohort.
    """
    cohort = study.cohort
    name = study.logger.group or (cohort.name if cohort.is_simulated else f"{study.study_name}-{fingerprint[:8]}")
    return re.sub(r"[^\w.-]+", "-", str(name))[:64]
