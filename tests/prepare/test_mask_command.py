"""A program that writes the brain mask: run for real, as a script of this test."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from synthpet.cohort.images import Grid, write_image
from synthpet.errors import DataError, Stopped, UsageError
from synthpet.prepare.mask_command import check_mask_command, run_mask_command
from synthpet.runtime.signals import stopping_by_signal

GRID = Grid.of((40, 40, 40), np.diag([4.0, 4.0, 4.0, 1.0]))
STRIP = """
import sys
import nibabel as nib
t1w = nib.load(sys.argv[1])
nib.save(nib.Nifti1Image((t1w.get_fdata() > 50).astype("uint8"), t1w.affine), sys.argv[2])
print("patient file", sys.argv[1])
open("leftover.txt", "w").write("x")
"""


def scan(folder):
    ball = np.linalg.norm(np.indices(GRID.shape) - 20, axis=0) * 4.0 <= 70
    return write_image(folder / "sub-01 with space_T1w.nii.gz", np.where(ball, 100.0, 1), GRID), ball


def command(folder, script, places="{t1w} {mask}"):
    path = folder / "strip.py"
    path.write_text(script)
    return f"{sys.executable} {path} {places}"


def test_the_mask_of_the_program_is_taken(tmp_path):
    t1w, ball = scan(tmp_path)
    before = set(tmp_path.iterdir())
    mask = run_mask_command(command(tmp_path, STRIP), t1w, GRID, "sub-01")
    np.testing.assert_array_equal(mask, ball)
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {"strip.py"}


@pytest.mark.parametrize(
    ("script", "message"),
    [("import sys; sys.exit('no licence\\nline two')", r"ended with 1; .*line two"),
     ("print('did nothing')", r"wrote no \{mask\}.*did nothing"),
     ("import sys; open(sys.argv[2], 'w').write('x')", "cannot be used: E_NOT_GZIP the mask")],
)  # fmt: skip
def test_a_program_that_fails_is_named_with_its_last_line(script, message, tmp_path):
    t1w, _ = scan(tmp_path)
    with pytest.raises(DataError, match=rf"(?s)E_MASK_COMMAND sub-01 .*{message}"):
        run_mask_command(command(tmp_path, script), t1w, GRID, "sub-01")


def test_a_missing_program_says_what_to_do(tmp_path):
    t1w, _ = scan(tmp_path)
    with pytest.raises(DataError, match=r"E_MASK_COMMAND sub-01 .*no program mri_nothing;.*install it"):
        run_mask_command("mri_nothing -i {t1w} -o {mask}", t1w, GRID, "sub-01")


def test_no_shell_sees_the_command(tmp_path):
    t1w, _ = scan(tmp_path)
    canary = tmp_path / "canary"
    with pytest.raises(DataError, match="E_MASK_COMMAND"):
        run_mask_command(f"true {{t1w}} {{mask}} ; touch {canary}", t1w, GRID, "sub-01")
    assert not canary.exists()


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_shell_that_the_user_names_sees_no_signs_of_folder_names(tmp_path, quote):
    canary = tmp_path / "canary"
    folder = tmp_path / "a;touch $(basename canary) 'b' \"`touch canary`\" & c"
    folder.mkdir()
    t1w, ball = scan(folder)
    (tmp_path / "strip.py").write_text(STRIP)
    inner = f"cd {tmp_path} && {sys.executable} strip.py {quote}{{t1w}}{quote} {{mask}}".replace("'", "'\\''")
    mask = run_mask_command(f"sh -c '{inner}'", t1w, GRID, "sub-01")
    np.testing.assert_array_equal(mask, ball)
    assert not canary.exists()


@pytest.mark.parametrize("bad", ["bet {t1w}", "bet {mask}", "", "bet '{t1w} {mask}"])
def test_a_command_without_its_places_is_refused_before_work_starts(bad):
    with pytest.raises(UsageError, match="brain_mask_command="):
        check_mask_command(bad)


WRAPPER = """
import subprocess, sys
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({note!r}, "w").write(str(inner.pid))
inner.wait()
"""


def test_a_stopped_command_leaves_nothing_of_the_program_behind(tmp_path):
    t1w, _ = scan(tmp_path)
    note = tmp_path / "inner.pid"
    main = threading.main_thread().ident

    def stop():
        while not (note.is_file() and note.read_text()):
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGTERM)

    threading.Thread(target=stop, daemon=True).start()
    with stopping_by_signal(), pytest.raises(Stopped):
        run_mask_command(command(tmp_path, WRAPPER.format(note=str(note))), t1w, GRID, "sub-01")
    until = time.monotonic() + 60
    while is_running(int(note.read_text())) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(int(note.read_text()))


def test_a_signal_while_the_program_starts_leaves_nothing_of_it_behind(tmp_path, monkeypatch):
    t1w, _ = scan(tmp_path)
    started = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self.pid)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with stopping_by_signal(), pytest.raises(Stopped):
        run_mask_command(command(tmp_path, "import time; time.sleep(60)"), t1w, GRID, "sub-01")
    assert len(started) == 1 and not is_running(started[0])


def is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends while it is asked
        return False
