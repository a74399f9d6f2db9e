"""``--help``: every option with the value it would have and a comment, what people change first, groups."""

import re
from pathlib import Path

import pytest
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from synthpet.command.help import comments, notes_of, options_of, summary
from synthpet.command.safe_config import guard_hydra
from tests.test_command import COMMANDS, run

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = [path.relative_to(CONFIGS).with_suffix("").as_posix() for path in sorted(CONFIGS.glob("*/*.yaml"))]
CONFIG_NAMES = [path.stem for path in sorted(CONFIGS.glob("*.yaml"))]


def explained(config_name: str, *overrides: str):
    guard_hydra()
    with initialize_config_module("synthpet.configs", version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration(config_name, list(overrides), RunMode.RUN)
        return {option.name: option for option in options_of(cfg, notes_of(loader, config_name, list(overrides)))}


@pytest.mark.parametrize(
    ("config_name", "override"),
    [(name, "") for name in CONFIG_NAMES]
    + [("prepare" if file.startswith("dataset/") else "uad_compare", file.replace("/", "=")) for file in FILES],
)
def test_every_option_has_a_comment(config_name, override):
    found = explained(config_name, *filter(None, [override]))
    assert len(found) > 8
    assert [option.name for option in found.values() if not option.note] == []


@pytest.mark.parametrize("file", FILES)
def test_every_choice_of_a_group_says_what_it_means(file):
    assert summary((CONFIGS / f"{file}.yaml").read_text())


def test_values_are_those_of_the_chosen_files_and_comments_of_the_last_file_that_has_one():
    found = explained(
        "uad_train", "detector=ocsvm_subject", "study=zotova2021", "gan.n_folds=3", "work_dir=/x/${gan.name}"
    )
    assert (found["detector.nu"].value, found["detector.nu"].note[:9]) == ("0.03", "share of ")
    assert found["detector.method"].value == "ocsvm_subject"
    assert (found["gan.n_folds"].value, found["gan.batch_size"].value) == ("3", "16")
    assert found["gan.generator.channels"].value == "[64, 128, 256]"
    assert (found["work_dir"].value, found["cohort.name"].value) == ("/x/patch3d", "phantom-zotova2021")


def test_a_comment_goes_on_below_its_key_and_headings_are_nobodys():
    text = """# What it is.
a: 'x # y'   # first
             # and more
b: x#y       # second
# A heading
c:           # third
  d: "1"     # fourth
  e: [1, 2]
    # of e
f: null
"""
    assert comments(text) == {"a": "first and more", "b": "second", "c": "third", "c.d": "fourth", "c.e": "of e"}
    assert summary("# @package _global_\n# Words.\na: 1\n") == "Words."
    assert summary("a: 1  # no\n") == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_begins_with_five_options_and_groups_and_fits_100_columns(command):
    text = run(command, "--help").stdout
    first, choices, options = re.split(r"\n(?:OFTEN CHANGED|CHOICES.*|OPTIONS.*)\n", text)[1:]
    assert len(re.findall(r"^   \S+ +=", first, re.M)) == 5
    assert "* phantom" in choices or "* bids" in choices
    assert " work_dir " in options
    assert max(map(len, text.splitlines())) <= 120


def test_help_of_a_choice_marks_it_and_shows_its_values():
    text = run("synthpet.train", "--help", "gan=semi3d", "study=tiny").stdout
    assert re.search(r"^  \* semi3d +Semi-3D", text, re.M)
    assert re.search(r"gan\.patch_size += \[64, 64, 3\]", text)
    assert re.search(r"gan\.n_steps += 40 ", text)


def test_help_of_a_folder_of_configurations(tmp_path):
    (tmp_path / "gan").mkdir()
    (tmp_path / "gan" / "mine.yaml").write_text("# My own.\ndefaults: [patch3d]\nname: mine\nn_steps: 7  # mine too\n")
    text = run("synthpet.train", f"--config-dir={tmp_path}", "--help", "gan=mine").stdout
    assert re.search(r"\* mine +My own\.", text)
    assert re.search(r"gan\.n_steps += 7 +mine too", text)
