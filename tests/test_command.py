"""The command line: help, misspelt options, exit codes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.command.main import compose
from synthpet.errors import DataError, DataLeakageError, DiskError, UsageError

COMMANDS = [
    "synthpet.phantom", "synthpet.train", "synthpet.complete", "synthpet.evaluate", "synthpet.compare",
    "synthpet.prepare", "synthpet.validate", "uad.train", "uad.evaluate", "uad.compare", "uad.detect",
]  # fmt: skip


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_the_command(command):
    result = run(command, "--help")
    assert result.returncode == 0
    assert f"python -m {command}" in result.stdout


@pytest.mark.parametrize("command", [*COMMANDS, "synthpet", "uad"])
def test_help_imports_no_heavy_library(command):
    code = (
        f"import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module('{command}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'monai', 'nilearn', 'pytorch_lightning', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stdout.strip().endswith("[]"), result.stdout[-200:]


def test_a_misspelt_option_names_the_nearest_one_and_makes_no_folder(tmp_path):
    result = run("synthpet.train", "gan.n_stpes=3", f"work_dir={tmp_path / 'out'}")
    assert result.returncode == 64
    assert "gan.n_steps" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_group_choice_lists_the_choices():
    result = run("synthpet.train", "gan=foo")
    assert result.returncode == 64
    assert "patch3d, semi3d, swin3d, unet3d" in result.stderr


@pytest.mark.parametrize("arguments, words", [
    (["synthpet.prepare"], "bids_dir was not given"),
    (["synthpet.train", "cohort=bids"], "bids_dir was not given"),
    (["synthpet.validate"], "expected one of cohort=<folder>"),
    (["synthpet.train", "--gan", "patch3d"], "write gan=patch3d"),
])  # fmt: skip
def test_what_is_missing_or_written_otherwise_is_said(arguments, words):
    result = run(*arguments)
    assert result.returncode == 64 and words in result.stderr


def test_a_folder_that_is_no_cohort_is_bad_data(tmp_path):
    (folder := tmp_path / "images").mkdir()
    result = run("synthpet.train", f"cohort={folder}", f"work_dir={tmp_path / 'out'}")
    assert result.returncode == 65
    assert "participants.tsv" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("study", ["tiny", "quick", "zotova2021"])
@pytest.mark.parametrize("gan", ["patch3d", "semi3d", "swin3d", "unet3d"])
def test_every_study_composes_with_every_gan(study, gan):
    cfg = compose("complete", f"study={study}", f"gan={gan}")
    assert cfg.cohort.name == f"phantom-{study}"
    assert cfg.gan.name == gan
    assert cfg.gan.n_warmup_steps < cfg.gan.n_steps


def test_semi3d_differs_from_patch3d_by_dimension_and_sampler_only():
    semi, patch = (compose("train", f"gan={name}").gan for name in ("semi3d", "patch3d"))
    different = {key for key in patch if patch[key] != semi[key]}
    assert different <= {"name", "spatial_dims", "patch_size", "stride", "batch_size", "generator", "n_steps",
                         "n_warmup_steps"}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 64), (DataError, 65), (DataLeakageError, 65), (DiskError, 74)]
)
def test_errors_carry_their_exit_code(error, code):
    assert error.exit_code == code


def test_a_reader_that_stops_early_sees_no_traceback():
    command = f"{sys.executable} -u -m uad.compare --help | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)  # noqa: S602
    assert result.stderr == ""


@pytest.mark.parametrize("package", ["synthpet", "uad"])
def test_a_package_lists_its_commands_in_the_order_of_the_data(package):
    result = run(package)
    assert result.returncode == 0 and result.stderr == ""
    found = re.findall(r"^  python -m (\S+\.\S+)  +\w.*$", result.stdout.split("Start with")[0], re.M)
    order = ["synthpet.phantom", "synthpet.prepare", "synthpet.validate", *COMMANDS[1:5], *COMMANDS[7:]]
    assert found == [command for command in order if command.startswith(package)]
    assert run(package, "--help").stdout == result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["uad", "nonsense"], "python -m uad.train, python -m uad.evaluate"),
        (["synthpet", "trian"], "expected python -m synthpet.train."),
        (["uad", "_detect", "study=tiny"], "expected python -m uad.detect."),
    ],
)
def test_a_package_names_the_command_that_was_meant(arguments, words):
    result = run(*arguments)
    assert result.returncode == 64 and words in result.stderr and result.stdout == ""


def test_a_command_is_typed_behind_its_package_as_well():
    program = Path(sys.executable).with_name("synthpet")
    words = subprocess.run([program, "train", "--help"], capture_output=True, text=True, timeout=60)
    assert words.returncode == 0 and words.stdout == run("synthpet.train", "--help").stdout
    wrong = run("uad", "compare", "detectr=zmap")
    assert wrong.returncode == 64 and "detector" in wrong.stderr
