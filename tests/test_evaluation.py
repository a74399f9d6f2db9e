"""Evaluation of a whole cohort: known synthetic PETs must give their known quality."""

import json
import tracemalloc

import numpy as np
import pytest

from synthpet.cohort import Cohort, Fold, make_folds, read_folds, write_folds, write_image
from synthpet.cohort.files import read_tsv, write_tsv
from synthpet.cohort.index import write_participants
from synthpet.cohort.names import image_path
from synthpet.errors import DataError, DataLeakageError
from synthpet.quality.metrics import patch_borders
from synthpet.quality.run import ensure_evaluated, evaluate, measure_spread
from synthpet.quality.source import ROLES, Source
from synthpet.quality.summary import COLUMNS
from synthpet.quality.words import console_lines
from synthpet.runtime.stage import Stage
from tests.conftest import study

TRUTH = {"paired": "pet", "heldout": "pet", "unpaired": "withheld_pet"}


def evaluate_synthesis(cohort, synthetic_folder, **options):
    """What quality.json holds of a folder of synthetic PETs."""
    return evaluate(Source(cohort, synthetic_folder), **options).summary


def truth(cohort, subject):
    return cohort.load(subject.participant_id, TRUTH[subject.role])


def write_expected(cohort, seed=7):
    """The ceiling of the fake cohort: the truth with a little noise."""
    rng = np.random.default_rng(seed)
    for subject in cohort.select(*ROLES):
        mask = cohort.load_mask(subject.participant_id)
        noise = 0.05 * rng.standard_normal(mask.shape).astype(np.float32)
        path = cohort.path(subject.participant_id, "expected_pet")
        write_image(path, (truth(cohort, subject) + noise) * mask, cohort.grid)


def write_synthetic(cohort, folder, synthesise, n_folds=2):
    """A folder as completion leaves it; ``synthesise(subject, fold or None)`` makes each PET."""
    folds = make_folds([s.participant_id for s in cohort.select("paired")], n_folds, seed=0)
    write_folds(folder / "folds.json", folds)
    rng = np.random.default_rng(3)
    for subject in cohort.select(*ROLES):
        fold = next((fold for fold in folds if subject.participant_id in fold.test), None)
        kinds = {"synthetic_pet": synthesise(subject, fold)}
        if fold is None:
            kinds["uncertainty"] = np.abs(rng.normal(0, 0.02, cohort.grid.shape))
        for kind, volume in kinds.items():
            relative = image_path(subject.participant_id, kind, res=cohort.res, space=cohort.space)
            write_image(folder / relative, volume.astype(np.float32), cohort.grid)
    return folder


@pytest.fixture
def studied(cohort, tmp_path):
    """The small cohort with its ceiling, and synthetic PETs that are off by 0.1 SUVR everywhere."""
    write_expected(cohort)
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: truth(cohort, s) + 0.1)
    return cohort, folder


def numbers(summary, metric, method="synthetic", role="paired", region="mask"):
    return summary["roles"][role]["metrics"][region][metric][method]["mean"]


def test_a_constant_bias_is_the_error_everywhere_and_spoils_no_individual_pattern(studied):
    summary = evaluate_synthesis(*studied)
    for role in ROLES:
        assert numbers(summary, "mae", role=role) == pytest.approx(0.1, abs=1e-5)
        assert numbers(summary, "rmse", role=role) == pytest.approx(0.1, abs=1e-5)
        for row in summary["roles"][role]["regional_bias"]:
            assert row["synthetic"]["mean"] == pytest.approx(0.1, abs=1e-5)
    paired = summary["roles"]["paired"]
    assert paired["deviation_correlation"]["synthetic"]["mean"] == pytest.approx(1, abs=1e-4)
    assert paired["variance_ratio"]["synthetic"] == pytest.approx(1, abs=1e-3)
    assert not paired["collapsed"]


def test_psnr_follows_from_the_error_and_the_one_data_range(studied):
    own = evaluate_synthesis(*studied)
    assert numbers(own, "psnr") == pytest.approx(20 * np.log10(own["data_range"] / 0.1), abs=1e-3)
    given = evaluate_synthesis(*studied, data_range=2.0)
    assert given["data_range"] == 2.0
    assert numbers(given, "psnr", role="unpaired") == pytest.approx(20 * np.log10(20), abs=1e-3)


def test_the_data_range_is_the_maximum_of_the_mean_real_pet_of_the_paired(studied):
    cohort, folder = studied
    mean = np.mean([truth(cohort, s) for s in cohort.select("paired")], axis=0)
    assert evaluate_synthesis(cohort, folder)["data_range"] == pytest.approx(mean.max(), abs=1e-5)


def test_the_mean_pet_as_generator_closes_nothing_and_has_collapsed(cohort, tmp_path):
    write_expected(cohort)
    real = {s.participant_id: truth(cohort, s) for s in cohort.select("paired")}

    def mean_of_training(_, fold):
        return np.mean([real[i] for i in (fold.train if fold else real)], axis=0)

    folder = write_synthetic(cohort, tmp_path / "synthetic", mean_of_training)
    summary = evaluate_synthesis(cohort, folder)
    for role in ROLES:
        found = summary["roles"][role]
        assert numbers(summary, "mae", role=role) == pytest.approx(numbers(summary, "mae", "mean_pet", role), abs=1e-6)
        assert found["gap_closed"]["mean_pet"]["value"] == pytest.approx(0, abs=1e-4)
    assert summary["roles"]["unpaired"]["variance_ratio"]["synthetic"] == pytest.approx(0, abs=1e-4)
    assert summary["roles"]["paired"]["collapsed"]
    assert "collapsed" not in summary["roles"]["unpaired"]  # of two people nothing can be told


def test_the_ceiling_as_generator_closes_the_whole_gap_from_either_baseline(cohort, tmp_path):
    write_expected(cohort)
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: cohort.load(s.participant_id, "expected_pet"))
    summary = evaluate_synthesis(cohort, folder)
    for gap in summary["roles"]["paired"]["gap_closed"].values():
        assert gap["value"] == pytest.approx(1, abs=1e-5)
        assert gap["ci95"] == pytest.approx((1, 1), abs=1e-5)
    versus = summary["roles"]["paired"]["versus"]["mean_pet"]["mae"]
    assert (versus["n_better"], versus["n"]) == (4, 4)
    assert versus["wilcoxon_p"] == pytest.approx(2 / 2**4)  # the smallest that four pairs can give


def test_the_brain_only_mean_leaves_out_those_whose_brain_ends_earlier(cohort, tmp_path):
    ids = [s.participant_id for s in cohort.select("paired")]
    cut = cohort.load_mask(ids[0])
    cut[:, :, 12:] = False
    write_image(cohort.path(ids[0], "brain_mask"), cut, cohort.grid)
    write_image(cohort.path(ids[0], "pet"), cohort.load(ids[0], "pet") * cut, cohort.grid)
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: truth(cohort, s))
    baselines = Source(cohort, folder).baselines[None]
    others = np.mean([cohort.load(i, "pet") for i in ids[1:]], axis=0)
    np.testing.assert_allclose(baselines["mean_brain_pet"][10, 12, 13], others[10, 12, 13], rtol=1e-4)
    np.testing.assert_allclose(baselines["mean_pet"][10, 12, 13], 0.75 * others[10, 12, 13], rtol=1e-4)


def test_without_a_ceiling_and_without_withheld_pets_only_what_is_known_is_reported(cohort, tmp_path):
    for subject in cohort.select("unpaired"):
        cohort.path(subject.participant_id, "withheld_pet").unlink()
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: np.full(cohort.grid.shape, 0.5))
    summary = evaluate_synthesis(cohort, folder)
    assert "gap_closed" not in summary["roles"]["paired"]
    assert "expected" not in summary["roles"]["paired"]["metrics"]["mask"]["mae"]
    assert "metrics" not in summary["roles"]["unpaired"]
    assert summary["roles"]["unpaired"]["between_subject_cv"]["synthetic"] == pytest.approx(0, abs=1e-6)


def test_a_cohort_of_t1s_alone_is_described_and_not_judged(cohort, tmp_path):
    t1_only = [s for s in cohort.subjects if s.role == "unpaired"]
    for subject in t1_only:
        cohort.path(subject.participant_id, "withheld_pet").unlink()
    write_participants(cohort.root, t1_only, name="T1 only", simulated=False)
    cohort = Cohort.open(cohort.root)
    folder = write_synthetic_without_folds(cohort, tmp_path / "synthetic")
    summary = evaluate_synthesis(cohort, folder)
    assert summary["headline_role"] is None
    assert summary["roles"]["unpaired"]["uncertainty"]["mean"] == pytest.approx(0.03, abs=1e-6)
    assert "none a real one" in " ".join(console_lines(summary))


def write_synthetic_without_folds(cohort, folder):
    for k, subject in enumerate(cohort.select("unpaired")):
        for kind, value in (("synthetic_pet", 1.0 + 0.1 * k), ("uncertainty", 0.03)):
            relative = image_path(subject.participant_id, kind, res=cohort.res, space=cohort.space)
            write_image(folder / relative, np.full(cohort.grid.shape, value, np.float32), cohort.grid)
    return folder


def test_a_step_at_every_patch_border_is_seen(cohort, tmp_path):
    borders = patch_borders(cohort.grid.shape, (8, 8, 8), (6, 6, 6))
    index = np.meshgrid(*(np.arange(n) for n in cohort.grid.shape), indexing="ij")
    stairs = sum(np.searchsorted(axis, i, side="right") for axis, i in zip(borders, index, strict=True))
    smooth = write_synthetic(cohort, tmp_path / "smooth", lambda s, _: truth(cohort, s))
    seamed = write_synthetic(cohort, tmp_path / "seamed", lambda s, _: truth(cohort, s) + 0.2 * stairs)
    found = [evaluate_synthesis(cohort, f, borders=borders)["roles"]["paired"]["seam_ratio"] for f in (smooth, seamed)]
    assert found[0]["synthetic"]["mean"] == pytest.approx(found[0]["real"]["mean"])
    assert found[1]["synthetic"]["mean"] > 1.5 > found[1]["real"]["mean"]


def test_missing_images_are_all_named_with_the_remedy(studied):
    cohort, folder = studied
    source = Source(cohort, folder)
    for case in source.cases[:2]:
        source.path(case, "synthetic").unlink()
    with pytest.raises(DataError, match=r"(?s)synthpet\.complete.*sub-00: no .*sub-01: no "):
        evaluate_synthesis(cohort, folder)


def test_folds_in_which_a_subject_trains_its_own_generator_are_refused(studied):
    cohort, folder = studied
    folds = json.loads((folder / "folds.json").read_text())
    folds[0]["train"].append(folds[0]["test"][0])
    (folder / "folds.json").write_text(json.dumps(folds))
    with pytest.raises(DataLeakageError, match=folds[0]["test"][0]):
        evaluate_synthesis(cohort, folder)


def test_a_paired_control_in_no_fold_is_refused(studied):
    cohort, folder = studied
    write_folds(folder / "folds.json", read_folds(folder / "folds.json")[:1])
    with pytest.raises(DataError, match="paired control that is in no fold"):
        evaluate_synthesis(cohort, folder)


@pytest.mark.parametrize("n_paired", [4, 1])
def test_generators_of_another_cohort_are_judged_against_the_mean_of_the_others(cohort, tmp_path, n_paired):
    ids = [s.participant_id for s in cohort.select("paired")][:n_paired]
    write_participants(cohort.root, [s for s in cohort.subjects if s.participant_id in ids], name="t", simulated=True)
    cohort = Cohort.open(cohort.root)
    folder = tmp_path / "synthetic"
    for i in ids:
        path = folder / image_path(i, "synthetic_pet", res=cohort.res, space=cohort.space)
        write_image(path, cohort.load(i, "pet"), cohort.grid)
    write_folds(folder / "folds.json", [Fold(0, ("sub-stranger",), ())])
    rows = evaluate_synthesis(cohort, folder)["roles"]["paired"]["metrics"]["mask"]["mae"]
    assert Source(cohort, folder).is_foreign
    assert rows["synthetic"]["mean"] == 0
    if n_paired == 1:
        assert "mean_pet" not in rows  # the only PET is no baseline for itself
    else:
        real = [cohort.load(i, "pet") for i in ids]
        masks = [cohort.load_mask(i) for i in ids]
        others = [np.mean([r for r in real if r is not own], axis=0) for own in real]
        expected = [np.abs(o - r)[m].mean() for o, r, m in zip(others, real, masks, strict=True)]
        assert rows["mean_pet"]["mean"] == pytest.approx(np.mean(expected), rel=1e-4)


def test_threads_change_no_number(studied):
    assert evaluate_synthesis(*studied, n_jobs=1) == evaluate_synthesis(*studied, n_jobs=3)


def test_memory_does_not_grow_with_the_number_of_subjects(studied):
    source = Source(*studied)

    def peak(cases):
        tracemalloc.start()
        measure_spread(source, cases)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    paired = [case for case in source.cases if case.role == "paired"]
    peak(paired)  # what is cached at first use
    assert peak(paired * 5) < 1.1 * peak(paired)


@pytest.fixture
def command(studied, monkeypatch, tmp_path):
    """``ensure_evaluated`` on the small study, with its completion taken as done."""
    cohort, folder = studied
    monkeypatch.setattr("synthpet.completion.write.ensure_completed", lambda cfg: folder)
    patches = ("gan.patch_size=[8,8,8]", "gan.stride=[4,4,4]", "gan.discriminator.layers=1")
    cfg = study("evaluate", f"cohort={cohort.root}", f"work_dir={tmp_path}", "logger=local", *patches)
    return cfg, cohort, folder


def test_the_command_leaves_tables_figures_page_and_its_own_manifest(command):
    cfg, _, folder = command
    Stage("completion", folder, {}).ensure(lambda: [folder / "folds.json"])
    assert ensure_evaluated(cfg) == folder
    rows = read_tsv(folder / "quality.tsv")
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 7 * 4 * 2  # controls, methods, mask and box
    summary = json.loads((folder / "quality.json").read_text())
    assert set(COLUMNS) == set(summary["columns_of_quality_tsv"])
    manifest = json.loads((folder / "run-quality.json").read_text())
    assert {"quality.tsv", "quality.json", "report.html", "figures/metrics.png"} <= set(manifest["outputs"])
    assert Stage("completion", folder, {}).is_current()  # untouched by the evaluation


def test_a_second_run_reuses_and_a_changed_image_makes_it_anew(command, capsys, monkeypatch):
    monkeypatch.setattr("synthpet.quality.page.write_report", lambda *_: [])  # pictures take long
    cfg, cohort, folder = command
    ensure_evaluated(cfg)
    capsys.readouterr()
    ensure_evaluated(cfg)
    assert "up to date" in capsys.readouterr().out
    before = json.loads((folder / "quality.json").read_text())
    source = Source(cohort, folder)
    write_image(source.path(source.cases[0], "synthetic"), source.load(source.cases[0], "real"), cohort.grid)
    ensure_evaluated(cfg)
    assert "up to date" not in capsys.readouterr().out
    after = json.loads((folder / "quality.json").read_text())
    assert numbers(after, "mae") < numbers(before, "mae")


def test_equal_input_gives_equal_bytes(command):
    cfg, _, folder = command
    names = ("quality.json", "quality.tsv", "report.html")

    def content():
        (folder / "run-quality.json").unlink(missing_ok=True)
        ensure_evaluated(cfg)
        return [(folder / name).read_bytes() for name in names]

    assert content() == content()


def test_the_terminal_shows_every_method_the_gap_and_the_share(studied):
    text = "\n".join(console_lines(evaluate_synthesis(*studied)))
    for words in ("mean PET (baseline)", "synthetic PET", "ceiling", "closes", "4 of 4", "between-subject variance"):
        assert words in text
    assert "0.100 ± 0.000" in text


def test_a_generator_worse_than_the_mean_pet_is_said_to_be_worse(cohort, tmp_path):
    write_expected(cohort)
    folder = write_synthetic(cohort, tmp_path / "synthetic", lambda s, _: truth(cohort, s) + 1)
    text = "\n".join(console_lines(evaluate_synthesis(cohort, folder)))
    assert "closes nothing of the gap" in text
    assert "0 of 4 by MAE" in text


def test_every_metric_is_defined(studied):
    summary = evaluate_synthesis(*studied, borders=[[8], [8], [8]])
    keys = {key for found in summary["roles"].values() for key in found} - {"n", "metrics"}
    keys |= set(summary["roles"]["paired"]["metrics"]["mask"]) | {"mask", "box", "data_range"}
    assert keys <= set(summary["definitions"])


def test_the_resampled_pets_are_reported_beside_the_plain_ones(studied):
    cohort, folder = studied
    rng = np.random.default_rng(0)
    source = Source(cohort, folder)
    for case in source.cases:
        synthetic = source.load(case, "synthetic") + rng.normal(0, 0.5)
        write_image(source.path(case, "resampled"), synthetic.astype(np.float32), cohort.grid)
    ratios = evaluate_synthesis(cohort, folder)["roles"]["paired"]["variance_ratio"]
    assert ratios["resampled"] > 2 * ratios["synthetic"]


def test_tables_written_and_read_keep_missing_values_apart_from_zero(tmp_path):
    path = write_tsv(tmp_path / "quality.tsv", [{"fold": None, "mae": 0.0}, {"fold": 0, "mae": float("nan")}])
    assert read_tsv(path) == [{"fold": "n/a", "mae": "0"}, {"fold": "0", "mae": "n/a"}]
