"""Progress that a person can read in a log."""

import json
import os
import pty
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

from synthpet.runtime.console import _last_row, _plain_progress, bar, losses_of, progress, training_bars


def test_the_bar_fills():
    assert bar(0, 10, width=4) == "[....]"
    assert bar(5, 10, width=4) == "[##..]"
    assert bar(20, 10, width=4) == "[####]"


def test_progress_hands_on_every_item():
    assert list(progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_plain_progress_says_how_many_are_done_and_what_is_left(capsys):
    assert list(_plain_progress([1, 2], "numbers", 2, every_s=0)) == [1, 2]
    assert "numbers: 2/2, 0 s left" in capsys.readouterr().out


def test_losses_are_said_in_words():
    row = {"step": 3, "train/loss_generator": 0.5, "train/learning_rate": 1.0, "train/loss_adversarial": 0.25}
    assert losses_of(row) == "generator 0.500, adversarial 0.250"
    assert losses_of(row, 1) == "generator 0.500"


def test_the_last_whole_row_is_read_and_that_of_an_older_training_is_not(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\n" + json.dumps({"step": 2}) + "\n" + '{"ste')
    assert _last_row(path, began=0) == {"step": 2}
    assert _last_row(path, began=path.stat().st_mtime + 1) is None
    assert _last_row(tmp_path / "absent", began=0) is None


def test_without_a_terminal_trainings_write_their_own_lines(capsys):
    with training_bars({"fold 0": Path("absent")}, 10) as drawn:
        assert not drawn


def test_on_a_terminal_each_training_has_a_bar_with_steps_and_remaining_time(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        from synthpet.runtime.console import training_bars
        path = Path({str(tmp_path)!r}) / "metrics.jsonl"
        with training_bars({{"fold 0": path}}, 10) as drawn:
            assert drawn
            for step in (1, 4):
                path.write_text('{{"step": %d, "train/loss_generator": 0.5}}\\n' % step)
                sys.stdin.readline()  # until it was seen
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=theirs, env=environment) as process:
        os.close(theirs)
        late = threading.Timer(60, process.kill)
        late.start()
        shown, waiting = b"", [b"2/10", b"5/10"]
        while chunk := _read(ours):
            shown += chunk
            if waiting and waiting[0] in shown:
                waiting.pop(0)
                process.stdin.write(b"\n")
                process.stdin.flush()
        late.cancel()
    assert process.returncode == 0
    for words in (b"fold 0", b"5/10", b"10/10", b"generator 0.500", b"0:00:0"):
        assert words in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # closed at the other end
        return b""
