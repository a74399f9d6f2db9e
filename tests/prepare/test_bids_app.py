"""The form of BIDS Apps."""

import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.errors import UsageError
from synthpet.prepare.bids_app import to_overrides
from synthpet.prepare.raw import RawOptions
from tests.conftest import study


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "synthpet.prepare", *arguments], capture_output=True, text=True, timeout=60
    )


def test_positional_arguments_and_options_become_the_configuration():
    arguments = ["/data/it's [here]", "out dir", "participant", "--participant_label", "01", "sub-02",
                 "registration=affine", "--n_cpus", "4", "--session-label=ses-a", "-w", "work"]  # fmt: skip
    given = study("prepare", *to_overrides(arguments))
    assert (given.bids_dir, given.out, given.reading.session) == (Path("/data/it's [here]"), Path("out dir"), "a")
    assert given.participant_label == ("01", "02")
    assert (given.compute.n_jobs, given.settings.registration) == (4, "affine")


@pytest.mark.parametrize("given", [["bids_dir=x", "seed=1"], ["--cfg", "job"], ["--help"], [], ["x", "--help"]])
def test_hydras_own_form_stays_as_it_is(given):
    assert to_overrides(given) == given


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/a"], "1 of <bids_dir> <out_dir> participant given"),
        (["/a", "/b", "group"], "analysis level 'group': expected participant"),
        (["/a", "/b", "participant", "--participant"], "--participant: unknown option; expected --participant_label"),
        (["/a", "/b", "participant", "--participant_label"], "--participant_label: no value"),
        (["/a", "/b", "participant", "--n_cpus", "all"], "--n_cpus all: expected one number"),
        (["/a", "/b", "participant", "--session_label", "a", "b"], "session: 2 values"),
        (["--participant_label", "01", "/a"], "no value; options stand behind"),
    ],
)
def test_wrong_use_is_explained(arguments, message):
    with pytest.raises(UsageError, match=message):
        to_overrides(arguments)


def test_the_command_understands_it_and_fails_with_its_exit_codes(tmp_path):
    absent = run(str(tmp_path / "absent"), str(tmp_path / "out"), "participant")
    assert (absent.returncode, "E_NO_BIDS" in absent.stderr) == (65, True)
    wrong = run(str(tmp_path), str(tmp_path / "out"))
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (64, False)
    assert not (tmp_path / "out").exists()


def test_the_options_of_the_configuration_are_those_of_the_code():
    options = study("prepare", "bids_dir=x", "pet='{label}/pet.nii'", "session=07", "seed=3").reading
    assert options == RawOptions(
        patterns={"pet": "{label}/pet.nii"}, session="07", leave_out=Path("outputs/x/cohort"),
        rules=type(options.rules)(seed=3),
    )  # fmt: skip
    given = study("prepare", "bids_dir=x", "role_values={train: paired, 2: heldout}", "control_groups=[1]").reading
    assert given.rules.role_values == {"train": "paired", "2": "heldout"}
    assert given.rules.control_groups == ("1",)
    with pytest.raises(UsageError, match="heldout_share=1: expected a number from 0 to less than 1"):
        study("prepare", "bids_dir=x", "heldout_share=1")
