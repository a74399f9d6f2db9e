"""A brain mask by a program that the user names, such as SynthStrip or HD-BET."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.images import Grid, read_image
from synthpet.errors import DataError, Stopped, UsageError
from synthpet.prepare.brain import given_brain_mask
from synthpet.runtime.signals import before_stopping


def check_mask_command(command: str) -> str:
    """The command, if it can work: before any work starts.

    Raises:
        UsageError: not to be split into words, or without its two places.
    """
    missing = [place for place in ("{t1w}", "{mask}") if place not in command]
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"brain_mask_command={command!r}: {error}") from error
    if missing or not words:
        raise UsageError(
            f"brain_mask_command={command!r}: no {' and no '.join(missing)}; expected a program with both, such as "
            "'mri_synthstrip -i {t1w} -m {mask}'"
        )
    return command


def run_mask_command(
    command: str, t1w: Path, grid: Grid, participant_id: str, xform: str | None = None
) -> NDArray[np.bool_]:
    """Run the program on one T1, without a shell, and read the mask that it writes.

    The program is told plain names in a temporary folder, a link to the T1 and the mask: where it is a shell itself
    (``sh -c '... {t1w} ...'``), what stands in the names of a data set's folders would be commands to it.

    Args:
        command: words with ``{t1w}`` and ``{mask}`` in them.
        t1w: the raw T1.
        grid: of the T1; the mask's must match.
        participant_id: for messages.
        xform: which of sform and qform holds, as for ``read_image``.

    Returns:
        The brain, (I, J, K) on ``grid``.

    Raises:
        DataError: the program is not there, fails or writes no mask; or the mask's volume is not a brain's.
    """
    name = f"{participant_id} ({t1w})"
    with tempfile.TemporaryDirectory(prefix="synthpet-mask-") as folder:
        mask = Path(folder, "mask.nii.gz")
        link = Path(folder, "T1w.nii.gz" if t1w.name.lower().endswith(".gz") else "T1w.nii")
        link.symlink_to(Path(t1w).absolute())
        places = {"{t1w}": str(link), "{mask}": str(mask)}
        program, *words = (_filled(word, places) for word in shlex.split(command))
        path = shutil.which(program)
        if path is None:
            raise DataError(
                f"E_MASK_COMMAND {name}: no program {program}; expected one on the PATH: install it, or give its whole "
                "path in brain_mask_command"
            )
        # in its own folder: whatever else it writes goes with the folder
        arguments = [str(Path(path).absolute()), *words]
        done = _run(arguments, folder)
        if done.returncode != 0 or not mask.is_file():
            what = f"ended with {done.returncode}" if done.returncode else "wrote no {mask}"
            said = _last_line(done.stderr, done.stdout)
            raise DataError(f"E_MASK_COMMAND {name}: {program} {what}; expected a mask. It said: {said}")
        data, found = _read(mask, grid, name, program, xform)
        return given_brain_mask(data, found, f"{name}, mask by {program}")


def _run(arguments: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; where this process is stopped, all that the program has started ends with it."""
    program, asked = None, list[int]()

    def later(number: int) -> bool:
        asked.append(number)
        return True

    try:
        with before_stopping(later):  # a signal that comes while the program starts would leave it behind
            program = subprocess.Popen(
                arguments,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                cwd=folder,
                start_new_session=True,
            )
        if asked:
            raise Stopped(asked[0])
        stdout, stderr = program.communicate()
    except BaseException:
        if program is not None:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)  # a session of its own: wrappers start programs
            program.communicate()
        raise
    return subprocess.CompletedProcess(arguments, program.returncode, stdout, stderr)


def _filled(word: str, places: dict[str, str]) -> str:
    for place, path in places.items():
        word = word.replace(place, path)
    return word


def _read(mask: Path, grid: Grid, name: str, program: str, xform: str | None) -> tuple[NDArray[np.float32], Grid]:
    """The mask, (I, J, K) on ``grid``, and its grid; with messages that name the T1 instead of a temporary file."""
    try:
        return read_image(mask, grid=grid, xform=xform)
    except DataError as error:
        reason = str(error).replace(str(mask), "the mask")
        raise DataError(f"E_MASK_COMMAND {name}: what {program} wrote cannot be used: {reason}") from error


def _last_line(*outputs: str) -> str:
    """The last line that is not empty, of the first output that has one."""
    lines = (text.strip().splitlines() for text in outputs)
    return next((found[-1][:300] for found in lines if found), "nothing")
