"""The tab key, asked through bash as a person would ask it."""

import shutil
import subprocess
import sys

import pytest

from synthpet.__main__ import COMMANDS
from synthpet.command.overview import overview
from synthpet.command.tab import words_of

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("tab") / "synthpet"
    done = subprocess.run(
        [sys.executable, "-m", "synthpet", "--tab-completion"], capture_output=True, text=True, check=True
    )
    path.write_text(done.stdout)
    return path


def completed(script, *words: str) -> set[str]:
    line = f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}"
    done = subprocess.run(
        ["bash", "-c", f'{line}; _synthpet; printf "%s\\n" "${{COMPREPLY[@]}}"'],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stderr == ""
    return {word.strip() for word in done.stdout.splitlines() if word.strip()}


def test_commands_are_completed(script):
    assert completed(script, "synthpet", "pre") == {"prepare"}
    assert completed(script, "synthpet", "p") == {"prepare", "phantom"}


def test_options_are_those_of_the_command(script):
    assert completed(script, "synthpet", "train", "gan=pa") == {"gan=patch3d"}
    assert completed(script, "synthpet", "train", "gan.n_st") == {"gan.n_steps="}
    assert completed(script, "synthpet", "train", "study=q") == {"study=quick"}
    assert completed(script, "synthpet", "phantom", "gan=") == set()
    assert completed(script, "synthpet", "prepare", "dataset=hedy") == {"dataset=hedypet"}


def test_every_command_has_words(capsys):
    for name in COMMANDS:
        words = words_of(name)
        assert len(words) == len(set(words)) > 5
    assert overview("uad", ("uad_train",), "", ["--tab-completion"]) == 0
    assert "_uad()" in capsys.readouterr().out
