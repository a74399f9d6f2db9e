"""No command shows a traceback when nobody reads its output any more."""

import os
import subprocess
import sys

import pytest


def run_unread(arguments: list[str], *, closed: str) -> subprocess.CompletedProcess:
    """Run a command whose output (or errors) goes into a pipe that nobody holds open at the other end."""
    theirs, ours = os.pipe()
    os.close(theirs)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, closed: ours}
    try:
        return subprocess.run([sys.executable, "-m", *arguments], **streams, text=True, timeout=120)
    finally:
        os.close(ours)


@pytest.mark.parametrize(
    "arguments",
    [
        ["synthpet"], ["uad"], ["synthpet", "--tab-completion"], ["synthpet.train", "--help"],
        ["uad", "compare", "--help"], ["synthpet.train", "--cfg", "job"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_goes_away_ends_the_command_without_a_word(arguments):
    done = run_unread(arguments, closed="stdout")
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["synthpet", "trian"], ["synthpet.train", "gan=nothing"]], ids=" ".join)
def test_so_does_one_that_read_the_errors(arguments):
    done = run_unread(arguments, closed="stderr")
    assert done.returncode == 141
    assert "Traceback" not in done.stdout


def test_a_command_that_has_much_to_say_ends_too(tmp_path):
    done = run_unread(["synthpet.phantom", "study=tiny", f"work_dir={tmp_path}"], closed="stdout")
    assert (done.returncode, done.stderr) == (141, "")
