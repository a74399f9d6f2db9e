"""Paths and texts arrive as they were typed, whatever signs they hold."""

import string
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from synthpet.command.arguments import TEXTS, expand
from synthpet.command.main import compose
from synthpet.command.safe_config import check_names
from synthpet.errors import UsageError

PATHS = ["bids_dir", "out", "work_dir", "participants", "t1w", "brain_mask", "suvr_reference", "brain_mask_command"]


EVERY = "/data/" + "".join(f"a{sign}b" for sign in string.punctuation.replace("/", "").replace("$", "")) + " c"
TYPED = [
    EVERY, "/é à/Données ②", "(x", "x)", "[x", "{label}/mri/*.nii.gz", "a, b=(c)/{d}.nii", "O'Brien's", "cost$HOME",
    "back\\slash\\", "2024", "1e5", "true", "01", " both ends ", "line\nfeed", "R\udce9sum\udce9",
]  # fmt: skip


@pytest.mark.parametrize("option", PATHS)
def test_every_sign_in_a_path_arrives(option):
    for typed in TYPED:
        (argument,) = expand([f"{option}={typed}"])
        assert OverridesParser.create().parse_override(argument).value() == typed
    assert expand(expand([f"{option}={EVERY}"])) == expand([f"{option}={EVERY}"])


def test_every_sign_in_every_path_arrives_in_the_configuration():
    cfg = compose("prepare", *(f"{option}={EVERY}" for option in PATHS))
    assert {cfg[option] for option in PATHS} == {EVERY}


def test_every_sign_in_the_folder_of_a_cohort_arrives(tmp_path):
    folder = tmp_path / f"a{string.punctuation.replace('/', '')}b ②"
    folder.mkdir()
    cfg = compose("train", f"cohort={folder}")
    assert (cfg.cohort.path, cfg.cohort.name) == (str(folder), folder.name)


def test_what_the_user_has_quoted_or_left_empty_stays():
    typed = ["t1w='{label}.nii'", 'out="a b"', "t1w=null", "t1w=", "gan.betas=[0.5,0.9]", "compute=dask", "seed=1",
             "--config-dir=/é", "--help", "+x={a: 1}", "~gan", "pet_fwhm_mm={a: 5, b: 6}"]  # fmt: skip
    assert expand(typed) == typed


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cohort").mkdir()
    cfg = compose("prepare", "bids_dir=~/data", "out=~", "work_dir=~nobody-of-this-name/x", "participants=a~b.tsv")
    assert (cfg.bids_dir, cfg.out) == (f"{tmp_path}/data", str(tmp_path))
    assert (cfg.work_dir, cfg.participants) == ("~nobody-of-this-name/x", "a~b.tsv")
    assert expand(["cohort=~"])[1] == f"cohort.path='{tmp_path}'"


def test_where_a_comma_separates_values_texts_are_left_alone():
    assert expand(["-m", "bids_dir=a,b", "gan=patch3d,semi3d"]) == ["-m", "bids_dir=a,b", "gan=patch3d,semi3d"]
    assert expand(["-m", "bids_dir=a#b"]) == ["-m", "bids_dir='a#b'"]


def test_cohort_folder_is_short_for_group_and_path(tmp_path):
    assert expand([f"cohort={tmp_path}", "seed=1"]) == [
        "cohort=folder",
        f"cohort.path='{tmp_path}'",
        f"cohort.name='{tmp_path.name}'",
        "seed=1",
    ]
    assert expand(["cohort=phantom"]) == ["cohort=phantom"]
    inner = tmp_path / "hospital" / "cohort"
    assert expand([f"cohort={inner}"])[2] == "cohort.name='hospital'"


def test_results_go_beside_a_cohort_that_a_command_made_wherever_the_next_is_run(tmp_path, monkeypatch):
    inner = tmp_path / "outputs" / "hospital" / "cohort"
    assert expand([f"cohort={inner}"])[3:] == [f"work_dir='{inner.parent}'"]
    assert expand([f"cohort={inner}", "work_dir=there"])[3:] == ["work_dir='there'"]
    assert expand([f"cohort={tmp_path}"])[3:] == []
    monkeypatch.chdir(tmp_path)
    assert expand(["cohort=outputs/hospital/cohort"])[3:] == ["work_dir='outputs/hospital'"]


def test_texts_are_options_that_there_are():
    text = "".join(path.read_text() for path in Path(__file__).parents[1].joinpath("configs").rglob("*.yaml"))
    assert [name for name in TEXTS if f"{name}:" not in text] == []


@pytest.mark.parametrize(
    "name", ["../x", "/abs", "..", ".", "", "a/../../b", "a\nb", "\x1b[31m", "x" * 300, "${seed}/x", "${study_name}/x"]
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    cfg = OmegaConf.create({"seed": 0, "study_name": "s", "gan": {"name": name}})
    with pytest.raises(UsageError, match=r"E_NAME gan\.name=.*expected"):
        check_names(cfg, ["study_name", "gan.name"])


@pytest.mark.parametrize("option", ["cohort.name", "gan.name", "detector.name", "normative.name", "study_name"])
def test_every_name_is_checked_before_anything_is_made(option):
    with pytest.raises(UsageError, match=r"E_NAME \S+=.*expected"):
        compose("uad_train", f"{option}=../../x")


def test_a_name_of_any_language_and_a_named_option_are_accepted():
    cfg = compose("uad_train", "cohort.name=Müller, A=1 (#2)", "gan.name=patch3d.v2", "study_name=01")
    assert (cfg.cohort.name, cfg.gan.name, cfg.study_name) == ("Müller, A=1 (#2)", "patch3d.v2", "01")
    assert compose("uad_train", "study_name=mine").cohort.name == "phantom-mine"
