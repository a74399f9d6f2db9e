"""Other people's machines: variables of other programs, encodings, users without a name."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from synthpet.cohort.files import read_tsv, write_json, write_text, write_tsv
from synthpet.errors import one_line, printable
from synthpet.runtime.console import complain, say
from synthpet.runtime.surroundings import _is_only_here, _warnings_are_no_errors, leave_out_others
from synthpet.tracking import client, mode
from tests.conftest import study

ROOT = Path(__file__).parents[1]
SETTLED = "from synthpet.runtime.surroundings import settle; settle(); "


def python(code: str, *, cwd=None, prefix=(), flags=(), **environment: str | None) -> str:
    kept = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    kept = {name: value for name, value in kept.items() if value is not None}
    command = [*prefix, sys.executable, *flags, "-c", code]
    done = subprocess.run(command, env=kept, cwd=cwd, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode("latin-1").strip()


@pytest.mark.parametrize(
    "foreign",
    [
        {"SLURM_NTASKS": "4", "SLURM_PROCID": "3"}, {"RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "x"},
        {"PL_TRAINER_MAX_STEPS": "1"}, {"NUMBA_DISABLE_JIT": "1", "NUMBA_NUM_THREADS": "many"},
        {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}, {"OMP_NUM_THREADS": "all"}, {"OMP_NUM_THREADS": ""},
        {"LOKY_MAX_CPU_COUNT": "all", "LOKY_PICKLER": "dill"}, {"ITK_AUTOLOAD_PATH": "/opt/other/lib"},
        {"PYTHONWARNINGS": "error"}, {"HYDRA_MAIN_MODULE": "other"},
    ],
)  # fmt: skip
def test_variables_of_other_programs_are_left_out(foreign):
    environment = dict(foreign)
    leave_out_others(environment)
    assert set(environment) == {"MPLBACKEND", "MATPLOTLIBRC", "HYDRA_FULL_ERROR"}


def test_what_the_user_chose_for_this_machine_stays():
    chosen = {"OMP_NUM_THREADS": "4,2", "NUMBA_CACHE_DIR": "/fast", "CUDA_VISIBLE_DEVICES": "1", "HOME": "/home/x"}
    environment = {**chosen, "MPLBACKEND": "module://of.a.notebook"}
    leave_out_others(environment)
    rc = environment.pop("MATPLOTLIBRC")
    assert Path(rc).is_file() and environment == {**chosen, "MPLBACKEND": "agg", "HYDRA_FULL_ERROR": "1"}


def test_a_job_of_several_tasks_without_srun_trains_as_one(monkeypatch):
    """In a notebook, too, where no command has settled the variables."""
    from synthpet.learning.options import TrainerOptions
    from synthpet.learning.several_devices import n_devices

    monkeypatch.setenv("SLURM_NTASKS", "4")
    monkeypatch.setenv("SLURM_JOB_NAME", "pet")
    assert n_devices(TrainerOptions(accelerator="cpu", devices=2)) == 2


def test_figures_are_drawn_alike_whatever_other_projects_have_set(tmp_path):
    theirs = "axes.facecolor: red\ntext.usetex: True\nbackend: TkAgg\n"
    for where in ("here", "home/.config/matplotlib"):
        (tmp_path / where).mkdir(parents=True)
        (tmp_path / where / "matplotlibrc").write_text(theirs)
    code = SETTLED + "import matplotlib as m; print(*(m.rcParams[k] for k in ('axes.facecolor', 'text.usetex')))"
    home = {"HOME": str(tmp_path / "home"), "MPLBACKEND": "no such", "MATPLOTLIBRC": str(tmp_path / "here")}
    assert python(code, cwd=tmp_path / "here", **home, XDG_CONFIG_HOME=None, MPLCONFIGDIR=None) == "white False"


def test_warnings_of_libraries_are_no_errors(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setattr(sys, "warnoptions", ["error", "ignore::ImportWarning"])
        _warnings_are_no_errors()
        warnings.warn("of a library", RuntimeWarning, stacklevel=1)
    assert sys.warnoptions == ["ignore::ImportWarning"]


def test_modules_of_the_current_folder_are_not_taken_unless_the_program_lies_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _is_only_here("") and _is_only_here(str(tmp_path))
    assert not _is_only_here(str(tmp_path.parent))
    monkeypatch.chdir(ROOT)
    assert not _is_only_here("") and not _is_only_here(str(ROOT))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_terminal_shows_any_name(encoding):
    code = SETTLED + r"from synthpet.runtime.console import say; say('Zürich → 12 mm² R\udce9sum\udce9')"
    shown = python(code, PYTHONIOENCODING=encoding)
    assert shown.endswith("R\\udce9sum\\udce9") and "rich" in shown


def test_processes_of_a_command_show_any_name_too():
    inner = "import sys; sys.stdout.write('Zürich → 12')"
    code = SETTLED + f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert "rich \\u2192 12" in python(code, PYTHONIOENCODING="latin-1")


def test_a_command_whose_output_is_closed_says_nothing_and_works():
    code = (
        SETTLED
        + "from synthpet.runtime.console import say, complain, on_terminal; say('x'); complain('y'); on_terminal()"
    )
    closed = f'exec {sys.executable} -c "{code}" >&- 2>&-'
    assert subprocess.run(closed, shell=True, cwd=ROOT, timeout=60).returncode == 0  # noqa: S602


def test_in_another_locale_paths_and_texts_are_utf8_all_the_same(tmp_path):
    """C++ libraries take a path as UTF-8; in such a locale Python reads its bytes otherwise."""
    code = SETTLED + (
        "import sys, os, SimpleITK as sitk; from pathlib import Path; Path('Données').mkdir();"
        "sitk.WriteImage(sitk.Image([2, 2, 2], sitk.sitkUInt8), 'Données/x.nii.gz');"
        "Path('Données/text').write_text('→'); print(sys.flags.utf8_mode, os.environ['PYTHONUTF8'])"
    )
    (tmp_path / "run.py").write_text(code, encoding="utf-8")
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": None}
    command = [sys.executable, "run.py"]
    kept = {k: v for k, v in {**os.environ, "PYTHONPATH": str(ROOT), **locale}.items() if v is not None}
    done = subprocess.run(command, env=kept, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "1"], done.stderr
    assert sorted(path.name for path in (tmp_path / "Données").iterdir()) == ["text", "x.nii.gz"]
    assert (tmp_path / "Données" / "text").read_bytes() == "→".encode()


def test_a_user_without_a_name_or_home_can_train():
    """As of ``docker run --user 54321``; MONAI asks for the user's name when it is imported."""
    unshare = ["unshare", "--user", "--map-user=54321", "--map-group=54321"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody become another user")
    nobody = dict.fromkeys(("USER", "LOGNAME", "LNAME", "USERNAME", "HOME"))
    code = SETTLED + "import getpass; from pathlib import Path; print(getpass.getuser(), Path.home())"
    assert python(code, prefix=unshare, **nobody) == "user /nonexistent"


ODD = "R\udce9sum\udce9\x1b]0;title\x07\x9b31m\u202egpj.exe"


def test_signs_that_a_terminal_obeys_are_written_out(capsys):
    say(ODD)
    complain("two\nlines\tand a tab")
    said = capsys.readouterr()
    assert said.out == "R\\udce9sum\\udce9\\u001b]0;title\\u0007\\u009b31m\\u202egpj.exe\n"
    assert said.err == "two\nlines\tand a tab\n"
    assert printable("Zürich → ②") == "Zürich → ②"


def test_a_name_that_is_no_utf8_or_no_text_is_written_into_every_file(tmp_path):
    rows = [{"path": ODD, "why": "a\ttab and\na line"}]
    table = write_tsv(tmp_path / "not_used.tsv", rows)
    assert read_tsv(table) == [{"path": printable(ODD), "why": "a\\u0009tab and\\u000aa line"}]
    import json

    assert json.loads(write_json(tmp_path / "x.json", {"path": ODD}).read_text()) == {"path": ODD}
    assert write_text(tmp_path / "x.txt", ODD).read_bytes().isascii()
    assert one_line("a\tb") == "a\\u0009b"


def test_wandb_hears_nothing_of_other_projects(monkeypatch):
    server = {"WANDB_API_KEY": "k", "WANDB_BASE_URL": "http://here"}
    others = dict.fromkeys(
        ("WANDB_RUN_ID", "WANDB_TAGS", "WANDB_NOTES", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_RESUME", "WANDB_DIR",
         "WANDB_SWEEP_ID", "WANDB_MODE", "WANDB_SERVICE", "WANDB_USERNAME", "WANDB_INIT_TIMEOUT"), "x"
    )  # fmt: skip
    environment = server | others | {"PATH": "/bin"}
    client.leave_out_other_projects(environment)
    silent = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
    assert environment == server | {"PATH": "/bin"} | silent


@pytest.mark.parametrize(
    ("variables", "asked", "expected"),
    [
        ({"WANDB_MODE": "disabled"}, "offline", False), ({"WANDB_DISABLED": "true"}, "online", False),
        ({"WANDB_MODE": "online"}, "offline", True), ({"WANDB_MODE": "nonsense"}, "offline", True),
    ],
)  # fmt: skip
def test_wandb_that_is_switched_off_on_a_machine_stays_off(monkeypatch, capsys, variables, asked, expected):
    for name in ("WANDB_MODE", "WANDB_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    logger = study("train", f"logger.mode={asked}").logger
    assert mode.is_wanted(logger) is expected
    if not expected:
        assert mode.settled(logger) is logger
        assert "W&B is off on this machine" in capsys.readouterr().out


def test_wandb_that_is_offline_on_a_machine_does_not_go_online(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr(mode, "check_online", lambda: pytest.fail("the server was asked"))
    assert mode.settled(study("train", "logger.mode=online").logger).mode == "offline"
