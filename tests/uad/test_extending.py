"""What docs/extending.md shows: a detector from a package of one's own, without a change of this project."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/extending.md"


def write_package(folder: Path) -> None:
    """The files that the page shows, as an installation would lay them out."""
    text = PAGE.read_text("utf-8")
    shown = dict(re.findall(r"```\w+\n# file: (\S+)\n(.*?)```", text, re.DOTALL))
    project = tomllib.loads(shown.pop("pyproject.toml"))["project"]
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in found.items())
        for group, found in project["entry-points"].items()
    )
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    shown |= {"toy-0.1.dist-info/METADATA": about, "toy-0.1.dist-info/entry_points.txt": points}
    for name in ("toy/__init__.py", "toy/configs/__init__.py"):
        shown.setdefault(name, "")
    for name, content in shown.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extending")
    write_package(folder / "site")
    command = [
        sys.executable, "-m", "uad.compare", "study=tiny", "logger=local", "compute.n_jobs=1",
        "compare.detectors=[ratio,zmap]", "compare.columns=[real,oracle]",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(folder / "site")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "outputs/phantom-tiny"


def test_a_detector_of_a_package_is_compared_and_has_its_pages(compared):
    assert "ratio" in (compared / "comparison/report.html").read_text()
    summary = json.loads((compared / "evaluation-ratio-real/summary.json").read_text())
    assert summary["n_patients"] == 2
    assert "ratio" in (compared / "evaluation-ratio-real/sub-p001/report.html").read_text()
    assert (compared / "uad-ratio-real/seed-0/statistics.npz").is_file()


def test_patients_have_pages_of_the_first_detector_and_maps_of_every_one(compared):
    other = compared / "evaluation-zmap-real"
    assert (compared / "evaluation-ratio-real/sub-p001/report.pdf").is_file()
    assert not (other / "sub-p001/report.html").exists() and (other / "sub-p001/sub-p001_projections.png").is_file()
    assert "`python -m uad.evaluate`" in (other / "report.html").read_text()
    assert "../evaluation-zmap-real/report.html" in (compared / "comparison/report.html").read_text()


def test_it_finds_otherwise_than_the_z_map(compared):
    maps = [
        next((compared / f"evaluation-{name}-real/sub-p001").glob("*_desc-anomaly_zmap.nii.gz"))
        for name in ("ratio", "zmap")
    ]
    assert maps[0].read_bytes() != maps[1].read_bytes()


def test_an_option_that_it_does_not_have_is_refused_before_any_work(compared, tmp_path):
    site = compared.parents[1] / "site"
    command = [sys.executable, "-m", "uad.evaluate", "study=tiny", "detector=ratio", "+detector.nu=0.1", "logger=local"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 64 and "detector.nu: no option of detector=ratio" in done.stderr
    assert not list(tmp_path.rglob("*.nii.gz"))
