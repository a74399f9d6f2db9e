"""The commands as a user types them, from nothing to a page."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DETECTORS = sorted(path.stem for path in (ROOT / "configs" / "detector").glob("*.yaml"))
# other options of what runs anyhow
ALIKE = (
    "latent_zmap",
    "zmap_conditional",
    "ocsvm_subject",
    "zmap_t1w",
    "ocsvm_conditional",
    "ocsvm_voxel_published",
    "residual",
    "svdd",
    "zmap_0mm",
    "zmap_6mm",
)
WITH_AUTOENCODER = ("ocsvm", "svdd", "latent", "zmap_conditional")


def run(*arguments, cwd, **env):
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True, timeout=900, env=env or None
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny study, both forms of the generator."""
    folder = tmp_path_factory.mktemp("study")
    for gan in ("patch3d", "semi3d"):
        run("synthpet.evaluate", f"gan={gan}", "study=tiny", cwd=folder)
    return folder


@pytest.mark.parametrize("gan", ["patch3d", "semi3d"])
def test_one_command_goes_from_nothing_to_a_page(tiny, gan):
    results = tiny / "outputs" / "phantom-tiny" / f"synthetic-{gan}"
    assert (results / "report.html").stat().st_size > 10_000
    quality = json.loads((results / "quality.json").read_text())
    assert quality["roles"]["paired"]["n"] == 4
    assert len(list(results.rglob("*desc-synthetic_pet.nii.gz"))) == 10  # 4 paired, 2 unpaired, 2 held out, 2 patients


def test_a_second_run_finds_everything_up_to_date(tiny):
    said = run("synthpet.evaluate", "gan=patch3d", "study=tiny", cwd=tiny)
    assert "making" not in said
    assert re.search(r"quality patch3d: up to date", said)


def test_both_generators_share_one_cohort_and_leave_nothing_elsewhere(tiny):
    assert [path.name for path in tiny.iterdir()] == ["outputs"]
    names = {path.name for path in (tiny / "outputs" / "phantom-tiny").iterdir()}
    assert {name for name in names if not name.startswith(("uad-", "evaluation-", "comparison", "generators"))} == {
        ".made_by",
        "cohort",
        "cache",
        "first-look-patch3d.png",
        "first-look-semi3d.png",
        "gan-patch3d",
        "gan-semi3d",
        "synthetic-patch3d",
        "synthetic-semi3d",
        "validation.json",
        "wandb",
    }


@pytest.mark.parametrize("detector", [pytest.param(d, marks=pytest.mark.slow) if d in ALIKE else d for d in DETECTORS])
def test_a_detector_ranks_clusters_in_patients(tiny, detector):
    options = ["study=tiny", f"detector={detector}", "normative=completed", "normative.force=true", "logger=local"]
    options += ["detector.autoencoder.n_steps=50"] if detector.startswith(WITH_AUTOENCODER) else []
    said = run("uad.evaluate", *options, cwd=tiny)
    assert "of 2 lesions detected" in said
    results = tiny / "outputs" / "phantom-tiny" / f"evaluation-{detector}-completed-patch3d"
    ranks = (results / "ranks.tsv").read_text().splitlines()
    assert ranks[0].split("\t")[:4] == ["participant_id", "lesion_site", "detected", "rank"]
    assert len(ranks) == 3
    summary = json.loads((results / "summary.json").read_text())
    assert summary["n_patients"] == 2
    assert summary["false_clusters_per_control"] <= 3.0
    assert len(list(results.rglob("*_projections.png"))) == 2


def test_the_comparison_runs_what_it_needs_and_writes_the_table(tiny):
    sets = "compare.columns=[real,completed-patch3d,oracle]"
    run("uad.compare", "study=tiny", "compare.detectors=[zmap]", sets, "normative.force=true", "logger=local", cwd=tiny)
    folder = tiny / "outputs" / "phantom-tiny" / "comparison"
    rows = (folder / "table.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["detector", "patient", "lesion_site", "real", "completed-patch3d", "oracle"]
    assert len(rows) == 1 + 2 + 12  # two patients; detected, ranks, strict, voxel metrics
    assert "SIMULATED" in (folder / "report.html").read_text()


def test_generators_are_compared_on_the_same_people_and_a_second_run_reuses_all(tiny):
    command = ["synthpet.compare", "study=tiny", "compare.generators=[patch3d,semi3d]"]
    said = run(*command, cwd=tiny)
    assert re.search(r"quality semi3d: up to date", said) and "taking the time" not in said.partition("generators:")[0]
    folder = tiny / "outputs" / "phantom-tiny" / "generators"
    rows = [line.split("\t") for line in (folder / "table.tsv").read_text().splitlines()]
    paired = {row[1]: dict(zip(rows[0], row, strict=True)) for row in rows if row[0] == "paired"}
    assert list(paired) == ["patch3d", "semi3d", "mean_pet", "mean_brain_pet", "expected"]
    for gan in ("patch3d", "semi3d"):
        quality = json.loads((folder.parent / f"synthetic-{gan}" / "quality.json").read_text())["roles"]["paired"]
        assert float(paired[gan]["mae"]) == pytest.approx(
            quality["metrics"]["mask"]["mae"]["synthetic"]["mean"], rel=1e-4
        )
        assert (
            float(paired[gan]["train_processor_seconds"]) > 0 and float(paired[gan]["synthesis_processor_seconds"]) > 0
        )
        assert int(paired[gan]["n_parameters"]) > 1000 and paired[gan]["budget"] == "same"
    page = (folder / "report.html").read_text()
    assert "SYNTHETIC: every PET" in page and "SIMULATED" in page and "neurological convention" in page
    statistics = json.loads((folder / "statistics.json").read_text())
    assert statistics["n_tests"] == 4 + 2 * 3 and statistics["n_people"] == 4
    again = run(*command, cwd=tiny)
    assert re.search(r"generators: up to date", again) and "making" not in again
    assert str(folder.relative_to(tiny) / "report.html") in again and "mean PET (baseline)" in again


def test_training_leaves_example_slices_and_losses_for_wandb_on_this_machine(tiny):
    results = tiny / "outputs" / "phantom-tiny"
    fold = results / "gan-patch3d" / "fold-0"
    assert list(results.glob("wandb/offline-run-*/files/media/images/fold-0/example*.png"))
    rows = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
    keys = set().union(*rows)
    assert {"train/loss_reconstruction", "train/loss_adversarial", "train/loss_discriminator", "train/learning_rate",
            "val/mae"} <= keys  # fmt: skip


def test_results_name_no_folder_of_the_machine(tiny):
    for path in (tiny / "outputs").rglob("*"):
        if path.suffix in {".json", ".tsv", ".yaml", ".html", ".jsonl"} and "wandb" not in path.parts:
            assert str(tiny) not in path.read_text(), path


def test_the_synthetic_set_is_a_valid_bids_derivative(tiny):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed (extra `dev`)")
    folder = tiny / "outputs" / "phantom-tiny" / "synthetic-patch3d"
    result = subprocess.run([validator, folder, "--json"], capture_output=True, text=True, timeout=120)
    errors = [i for i in json.loads(result.stdout)["issues"]["issues"] if i["severity"] == "error"]
    assert not errors, errors


def test_readme_names_commands_and_configurations_that_exist():
    text = (ROOT / "README.md").read_text()
    for command in set(re.findall(r"python -m ((?:synthpet|uad)(?:\.\w+)+)", text)):
        module = ROOT / Path(*command.split("."))
        assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file(), command
    for group, option in set(re.findall(r"\b(gan|study|logger|cohort)=(\w+)", text)):
        if group != "cohort":
            assert (ROOT / "configs" / group / f"{option}.yaml").is_file(), f"{group}={option}"


@pytest.mark.slow
def test_a_wheel_carries_the_configuration(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in str(f).lower()]\n"
        "import synthpet; assert 'site' in synthpet.__file__, synthpet.__file__\n"
        "from synthpet.command.main import compose\n"
        "print(compose('evaluate', 'gan=semi3d').gan.name)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "semi3d", result.stderr


@pytest.mark.slow
def test_training_on_two_devices_runs(tmp_path):
    """Two CPU processes stand in for two GPUs."""
    options = ["study=tiny", "logger=local", "trainer.accelerator=cpu", "trainer.devices=2", "compute.n_jobs=1"]
    strategy = "trainer.strategy=ddp_find_unused_parameters_true"
    run("synthpet.train", *options, strategy, "gan.n_folds=2", cwd=tmp_path)
    assert len(list(tmp_path.rglob("generator.safetensors"))) == 2
