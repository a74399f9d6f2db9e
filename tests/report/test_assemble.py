"""The assembler: plans and parts name the same, sections without content are left out."""

from importlib.resources import files

import pytest
import yaml

from synthpet.report.assemble import assemble
from synthpet.report.html import Section

PLANS = (
    ("synthpet.quality", "page.yaml"), ("synthpet.prepare.qc", "cohort_page.yaml"),
    ("synthpet.prepare.qc", "person_page.yaml"), ("uad.patient", "page.yaml"), ("uad.evaluation", "page.yaml"),
    ("uad.comparison", "page.yaml"), ("synthpet.phantom.realism", "page.yaml"),
)  # fmt: skip
PARTS = {"findings": ["a {b}"], "pictures": None, "decisions": None, "limits": (), "numbers": Section("own", ["x"])}
WORDS = {"name": "sub-01", "verdict": "ok {name}"}


def test_parts_stand_where_the_plan_says_and_empty_sections_are_left_out():
    page = assemble("synthpet.prepare.qc", "person_page.yaml", PARTS, WORDS, ["SIMULATED"])
    assert page.title == "Quality control: sub-01, ok {name}"
    assert page.sections == [Section("What stands out", ["a {b}"]), Section("own", ["x"])]
    assert page.notices == ["SIMULATED"]


@pytest.mark.parametrize("parts", [PARTS | {"other": "x"}, {k: v for k, v in PARTS.items() if k != "limits"}])
def test_a_part_that_only_one_side_knows_is_refused(parts):
    with pytest.raises(ValueError, match=r"person_page\.yaml: parts"):
        assemble("synthpet.prepare.qc", "person_page.yaml", parts, WORDS)


@pytest.mark.parametrize(("package", "plan"), PLANS)
def test_every_plan_names_each_part_once(package, plan):
    sections = yaml.safe_load(files(package).joinpath(plan).read_text("utf-8"))["sections"]
    shown = [name for section in sections for name in section["show"]]
    assert len(shown) == len(set(shown)) and all({"title", "show"} <= set(section) for section in sections)
