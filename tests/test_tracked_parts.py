"""A run of W&B over several commands, processes and interruptions: one id, no step twice."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthpet.cohort.files import write_text
from synthpet.generators import crossfit
from synthpet.generators.crossfit import ensure_generators
from synthpet.generators.fit import as_png
from synthpet.generators.watched import following_folds
from synthpet.quality.run import ensure_evaluated
from synthpet.tracking import Section, following, pictures_of, tracked
from synthpet.tracking.client import import_wandb
from synthpet.tracking.identity import run_id, was_begun
from tests.conftest import study
from tests.offline_run import runs_in
from tests.test_tracking import SMALL


def parts_in(work_dir: Path):
    import_wandb().teardown()  # the files are whole
    return runs_in(work_dir)


@pytest.fixture
def cfg(shared_cohort, tmp_path):
    return study("evaluate", f"cohort={shared_cohort.root}", f"work_dir={tmp_path}", *SMALL)


def rows_file(path: Path, *steps: int, **numbers: float) -> Path:
    return write_text(path, "".join(json.dumps({"step": step, "loss": step / 10, **numbers}) + "\n" for step in steps))


def test_what_a_later_command_makes_goes_on_in_the_run_of_the_generator(cfg, tmp_path):
    ensure_generators(cfg)
    ensure_evaluated(cfg)
    ensure_evaluated(cfg)  # up to date: nothing to tell
    first, second = parts_in(tmp_path)
    assert first.id == second.id
    assert first.goes_on and second.goes_on
    assert {name.partition("/")[0] for name in first.keys} == {"fold-0", "fold-1"}
    assert second.keys == {"quality"}
    assert {kind for kind, _, _ in second.made} >= {"synthetic-set"}


def test_a_changed_configuration_is_another_run_and_left_over_curves_are_not_its_own(cfg, tmp_path):
    ensure_generators(cfg)
    other = study("evaluate", f"cohort={cfg.cohort.path}", f"work_dir={tmp_path}", *SMALL, "gan.n_steps=20")
    ensure_generators(other)
    first, second = parts_in(tmp_path)
    assert (first.name, first.job_type) == (second.name, second.job_type)
    assert first.id != second.id
    assert [step for step, _ in second.curve("fold-0/train/loss_reconstruction")] == [9, 19]


def test_a_training_that_is_continued_tells_no_step_twice(cfg, tmp_path):
    """The second command finds the rows that the first one told, and writes those after the checkpoint again."""
    path = tmp_path / "gan-patch3d/fold-0/metrics.jsonl"
    for steps in [(9, 19, 29), (9, 19, 29, 39, 49)]:
        with tracked(cfg, "generator", "patch3d") as run, following(run, [Section("fold-0", path)]):
            rows_file(path, *steps)
    first, second = parts_in(tmp_path)
    assert [step for step, _ in first.curve("fold-0/loss")] == [9, 19, 29]
    assert [step for step, _ in second.curve("fold-0/loss")] == [39, 49]


def test_rows_are_told_while_the_training_goes_on(cfg, tmp_path, monkeypatch):
    from synthpet.tracking import follow

    monkeypatch.setattr(follow, "EVERY_S", 0.05)
    seen = []
    path = tmp_path / "metrics.jsonl"
    sections, look = [Section("fold-0", path)], lambda section, row: seen.append((section, row["step"]))
    with tracked(cfg, "generator", "patch3d") as run, following(run, sections, look):
        for n in range(1, 4):
            rows_file(path, *range(n))
            deadline = time.monotonic() + 30
            while len(seen) < n and time.monotonic() < deadline:
                time.sleep(0.05)
            assert seen == [("fold-0", step) for step in range(n)]
    (part,) = parts_in(tmp_path)
    assert part.curve("fold-0/loss") == [(0, 0.0), (1, 0.1), (2, 0.2)]


def test_a_torn_file_and_an_unreadable_picture_stop_nothing(cfg, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    path = tmp_path / "metrics.jsonl"
    section = Section("fold-0", path, pictures, "words")
    seen = replace(cfg, logger=replace(cfg.logger, images=True))
    with tracked(seen, "generator", "patch3d") as run, following(run, [section]):
        (pictures / "00000009.png").write_bytes(b"no picture")
        path.write_text('{"step": 9, "loss": 1.0}\n{"step": 19, "lo')
    (part,) = parts_in(tmp_path)
    assert part.curve("fold-0/loss") == [(9, 1.0)]


@pytest.mark.parametrize(("options", "shown"), [((), False), (("logger.images=true",), True)])
def test_pictures_of_a_training_come_to_its_run_and_do_not_stay(shared_cohort, tmp_path, options, shown):
    cfg = study("train", f"cohort={shared_cohort.root}", f"work_dir={tmp_path}", *SMALL, *options)
    ensure_generators(cfg)
    (part,) = parts_in(tmp_path)
    assert ("fold-0/example" in part.keys) == ("fold-1/example" in part.keys) == shown
    if shown:
        assert [step for step, _ in part.curve("fold-0/example")] == [14, 29]
    assert list((tmp_path / "wandb").rglob("pictures/**/*.png")) == []


def test_no_picture_is_left_where_nobody_logs(cfg):
    simulated = replace(cfg, cohort=replace(cfg.cohort, source="phantom"))
    assert pictures_of(simulated, "patch3d", "fold-0") is not None
    assert pictures_of(cfg, "patch3d", "fold-0") is None
    assert pictures_of(replace(simulated, logger=replace(cfg.logger, name="local")), "patch3d", "fold-0") is None


def test_a_picture_is_the_one_that_was_left():
    from io import BytesIO

    from PIL import Image

    picture = np.arange(24, dtype=np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(as_png(picture)))), picture)


def test_who_watches_is_warned_of_a_collapse_once_and_of_the_end(cfg, tmp_path, monkeypatch):
    from synthpet.errors import TrainingError

    path = tmp_path / "gan-patch3d/fold-0/metrics.jsonl"

    def stop(*arguments):
        rows_file(path, 9, 19, 29, **{"val/contrast": 0.1})
        raise TrainingError("the loss is nan")

    monkeypatch.setattr(crossfit, "_train_side_by_side", stop)
    with pytest.raises(TrainingError):
        ensure_generators(cfg)
    (part,) = parts_in(tmp_path)
    assert part.alerts == ["Collapsed generator", "Training stopped"]


def test_blocks_of_a_run_within_it_are_that_run(cfg, tmp_path):
    with tracked(cfg, "generator", "a") as outer:
        with tracked(cfg, "generator", "a") as inner, tracked(cfg, "generator", "b") as other:
            assert inner is outer
            assert other is not outer
        outer.summarise({"x": 1})  # not ended by the inner block
    (part,) = parts_in(tmp_path)
    assert part.summary["x"] == 1


def test_ids_stay_for_a_study_and_differ_between_studies(tmp_path):
    first = run_id(tmp_path / "a", "generator", "patch3d", {"seed": 0})
    assert first == run_id(tmp_path / "a", "generator", "patch3d", {"seed": 0})
    shutil.move(tmp_path / "a", tmp_path / "moved")
    others = {
        run_id(tmp_path / "moved", "generator", "patch3d", {"seed": 1}),
        run_id(tmp_path / "moved", "detector", "patch3d", {"seed": 0}),
        run_id(tmp_path / "b", "generator", "patch3d", {"seed": 0}),  # somebody else, the same configuration
    }
    assert first == run_id(tmp_path / "moved", "generator", "patch3d", {"seed": 0})
    assert len(others | {first}) == 4
    assert not was_begun(tmp_path / "moved", first)


def test_following_with_nothing_to_log_to_does_nothing(cfg, tmp_path):
    local = replace(cfg, logger=replace(cfg.logger, name="local"))
    with tracked(local, "generator", "patch3d") as run, following_folds(run, local, [tmp_path / "fold-0"]):
        pass
    assert list(tmp_path.iterdir()) == []
