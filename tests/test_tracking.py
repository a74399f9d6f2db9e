"""W&B: what a run holds and what never leaves; nothing that W&B does stops the work."""

import json
import os
import re
import subprocess
import sys
import textwrap
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from synthpet.cohort.files import read_tsv, write_tsv
from synthpet.tracking import Run, tracked
from synthpet.tracking.client import import_wandb
from synthpet.tracking.run import without_ids
from tests.conftest import GRID, ellipsoid, study, write_cohort
from tests.offline_run import runs_in

ROOT = Path(__file__).parents[1]
SMALL = [
    "study=tiny", "gan.n_steps=30", "gan.n_warmup_steps=6", "gan.patch_size=[8,8,8]", "gan.stride=[4,4,4]",
    "gan.batch_size=2", "gan.discriminator.channels=4", "gan.discriminator.layers=1",
    "compute.n_jobs=1", "trainer.accelerator=cpu", "logger.images_every=15",
]  # fmt: skip
COMPARE = [
    "compare.detectors=[zmap]", "compare.columns=[real,synthetic-patch3d]", "normative.force=true",
    "compare.n_resamples=50",
]  # fmt: skip
PICTURE = "fold-0/example"
CANARY = "canary"
KEY = "a" * 40
CURVES = {
    "train/loss_generator", "train/loss_reconstruction", "train/loss_adversarial", "train/loss_discriminator",
    "train/gradient_norm", "train/gradient_norm_discriminator", "train/learning_rate",
    "train/learning_rate_discriminator", "train/patches_per_second", "train/processor_seconds", "val/mae",
    "val/contrast",
}  # fmt: skip
FOLDS = {f"fold-{k}/{name}" for k in (0, 1) for name in (*CURVES, "step", "seconds")}
PROMISED = FOLDS | {
    "quality/mae", "quality/ssim", "quality/psnr", "quality/variance_ratio", "quality", "evaluate/n_detected",
    "evaluate/sensitivity", "evaluate/mean_rank_censored", "evaluate/false_clusters_per_control", "rank_table",
    "complete/seconds", "quality/seconds", "seed-0/seconds", "evaluate/seconds", "compare/seconds",
}  # fmt: skip
RUNS = [
    ("generator", "patch3d"), ("detector", "zmap-real"), ("detector", "zmap-synthetic-patch3d"),
    ("comparison", "comparison"),
]  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """A machine and a person with telling names, not logged in to W&B."""
    telling = {name: f"{CANARY}-{name}" for name in ("WANDB_HOST", "WANDB_USERNAME", "WANDB_USER_EMAIL", "USER")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    return {**kept, **telling, "NETRC": "/nowhere", "OMP_NUM_THREADS": "1", "WANDB_INIT_TIMEOUT": "5", **more}


def run_module(module: str, *options: str, **more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", module, *options]
    return subprocess.run(command, env=environment(**more), cwd=ROOT, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A whole study of people who are not declared simulated, online at a server that nobody runs."""
    from synthpet.cohort import write_image

    folder = tmp_path_factory.mktemp(CANARY)
    cohort = write_cohort(folder / "cohort")
    write_image(cohort.path("sub-07", "lesion_mask"), ellipsoid(0.2).astype(np.float32), GRID)
    table = cohort.root / "participants.tsv"
    rows = read_tsv(table)
    write_tsv(table, [{**row, "lesion_site": CANARY} for row in rows], [*rows[0]])
    options = [f"cohort={cohort.root}", f"work_dir={folder / 'work'}", *SMALL, *COMPARE, "logger.mode=online"]
    done = run_module("uad.compare", *options, WANDB_BASE_URL="http://127.0.0.1:9", WANDB_API_KEY=KEY)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "work", done


def test_a_server_that_does_not_answer_costs_one_warning(logged):
    work_dir, done = logged
    assert [line for line in (done.stdout + done.stderr).splitlines() if "W&B" in line] == [
        "W&B cannot be used online (http://127.0.0.1:9 does not answer: [Errno 111] Connection refused), so it is used "
        "offline; all results and metrics.jsonl are written as ever"
    ]
    assert "Traceback" not in done.stderr
    assert len((work_dir / "gan-patch3d/fold-0/metrics.jsonl").read_text().splitlines()) == 3  # every 10 of 30 steps


def test_a_study_is_one_run_for_each_generator_each_detector_and_the_comparison(logged):
    runs = runs_in(logged[0])
    assert sorted((run.job_type, run.name) for run in runs) == sorted(RUNS)
    assert len({run.id for run in runs}) == len(RUNS)
    assert {run.project for run in runs} == {"synthpet-uad"}
    (group,) = {run.group for run in runs}
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", group)  # not the folder's name


def test_folds_are_sections_of_their_generators_run_each_over_its_own_steps(logged):
    (generator,) = [run for run in runs_in(logged[0]) if run.job_type == "generator"]
    for fold in ("fold-0", "fold-1"):
        path = logged[0] / "gan-patch3d" / fold / "metrics.jsonl"
        written = [json.loads(line) for line in path.read_text().splitlines()]
        name = "train/loss_reconstruction"
        assert generator.curve(f"{fold}/{name}") == [(row["step"], row[name]) for row in written]
        assert generator.axes[f"{fold}/*"] == f"{fold}/step"
    assert generator.config["complete"]["smooth_fwhm_mm"] == 0


def test_every_promised_key_is_there(logged):
    runs = runs_in(logged[0])
    logged = set().union(*(run.keys for run in runs), *(run.summary.keys() for run in runs))
    assert logged >= PROMISED


def test_artifacts_link_the_runs_from_the_cohort_to_the_comparison(logged):
    """Who uses a product and who made it name the same content."""
    runs = runs_in(logged[0])
    by_name = {run.name: run for run in runs}
    made = {artifact: run.job_type for run in runs for artifact in run.made if artifact[0] != "run_table"}
    assert {(kind, job) for (kind, _, _), job in made.items()} == {
        ("generator", "generator"), ("synthetic-set", "generator"), ("detector", "detector"),
        ("evaluation", "detector"), ("comparison", "comparison"),
    }  # fmt: skip
    for run in runs:
        assert all(artifact in made for artifact in run.used if artifact[0] != "cohort")
        assert [kind for kind, _, _ in run.used].count("cohort") == 1
    assert len({artifact for run in runs for artifact in run.used if artifact[0] == "cohort"}) == 1
    assert sorted(kind for kind, _, _ in by_name["patch3d"].made if kind == "generator") == ["generator"] * 2
    assert {kind for kind, _, _ in by_name["zmap-synthetic-patch3d"].used} == {"cohort", "synthetic-set"}
    assert {kind for kind, _, _ in by_name["comparison"].used} == {"cohort", "evaluation"}


def test_nothing_tells_who_the_people_are_or_whose_machine_it_was(logged):
    runs = runs_in(logged[0])
    assert not any(PICTURE in run.keys for run in runs)
    assert {name for run in runs for name in run.files} == {
        "content",
        *(f"{k}.table.json" for k in ("quality", "ranks", "rank_table")),
    }
    for run in runs:
        sent = run.uploads()
        for private in (CANARY, r"sub-\d", str(ROOT), re.escape(sys.executable), re.escape(str(Path.home()) + "/")):
            assert not re.search(private, sent), (run.name, private)


def test_a_rerun_with_nothing_to_do_imports_no_wandb(logged):
    work_dir, _ = logged
    options = [*SMALL, *COMPARE, f"cohort={work_dir.parent / 'cohort'}", f"work_dir={work_dir}"]
    script = f"import sys; sys.argv = ['', *{options!r}]\nfrom uad.compare import main\nmain()\n"
    script += "assert 'wandb' not in sys.modules"
    again = subprocess.run([sys.executable, "-c", script], env=environment(), cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "making" not in again.stdout
    assert len(runs_in(work_dir)) == len(RUNS)


def test_without_wandb_installed_training_is_whole_and_says_so_once(shared_cohort, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent("""
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "wandb":
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.meta_path.insert(0, Absent())
        """)
    )
    work = tmp_path / "work"
    options = [f"cohort={shared_cohort.root}", f"work_dir={work}", *SMALL]
    done = run_module("synthpet.train", *options, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if "W&B" in line] == [
        "W&B is not installed (`pip install wandb`), nothing is logged to it; all results and metrics.jsonl are "
        "written as ever"
    ]
    assert len((work / "gan-patch3d/fold-0/metrics.jsonl").read_text().splitlines()) == 3


def say_mode(cohort, **more: str) -> list[str]:
    """What a command says about going online, and the mode that it settles on."""
    script = (
        "from tests.conftest import study; from synthpet.tracking import settled\n"
        f"print(settled(study('train', 'cohort={cohort.root}', 'logger.mode=online').logger).mode)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment(**more), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class Server(ThreadingHTTPServer):
    """Answers everything with one status and remembers what was asked."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status, self.asked = status, []
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.asked.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - named by the library

    def log_message(self, *args):
        pass


def test_a_key_that_the_server_refuses_is_said_and_the_run_is_offline(shared_cohort):
    with Server(401) as server:
        words, mode = say_mode(shared_cohort, WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
        no_key, also = say_mode(shared_cohort, WANDB_BASE_URL=server.url, HOME="/nowhere")
        server.shutdown()
    assert mode == also == "offline"
    assert words.startswith("W&B cannot be used online (")
    assert "wandb login" in no_key


def test_an_offline_run_asks_its_server_nothing(shared_cohort, tmp_path):
    """W&B reports how it is used, offline too, unless it is told not to."""
    script = f"""
        from tests.conftest import study
        from synthpet.tracking import tracked
        cfg = study("train", "cohort={shared_cohort.root}", "work_dir={tmp_path}")
        with tracked(cfg, "generator", "offline") as run:
            run.log({{"a": 1.0}}, 0, "fold-0")
        assert run.group
    """
    with Server(200) as server:
        more = environment(WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=more, cwd=ROOT, check=True, timeout=120)
        server.shutdown()
    assert server.asked == []
    assert len(runs_in(tmp_path)) == 1


def test_a_crash_of_its_process_ends_the_logging_not_the_work(shared_cohort, tmp_path):
    script = f"""
        import psutil
        from tests.conftest import study
        from synthpet.tracking import Run
        cfg = study("train", "cohort={shared_cohort.root}", "work_dir={tmp_path}")
        run = Run(cfg, "generator", "crash")
        run.log({{"a": 1.0}}, 0, "fold-0")
        for process in psutil.Process().children(recursive=True):
            process.kill()
            process.wait()
        for step in range(1, 100):
            run.log({{"a": 1.0}}, step, "fold-0")
        run.alert("x", "y")
        run.finish()
        print("went on", bool(run))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    warning, last = done.stdout.splitlines()
    assert warning.startswith("W&B stopped logging (")
    assert last == "went on False"


@pytest.mark.parametrize(("options", "shown"), [((), False), (("logger.images=true", "logger.ids=true"), True)])
def test_images_and_ids_of_real_people_are_logged_on_request_only(shared_cohort, tmp_path, options, shown):
    cfg = study("train", f"cohort={shared_cohort.root}", f"work_dir={tmp_path}", *options)
    log_something(cfg)
    (run,) = runs_in(tmp_path)
    assert (PICTURE in run.keys) == shown
    assert ("sub-07" in run.uploads()) == shown


def test_simulated_people_may_be_shown(shared_cohort, tmp_path):
    cfg = study("train", f"cohort.path={shared_cohort.root}", f"work_dir={tmp_path}")
    log_something(cfg)
    (run,) = runs_in(tmp_path)
    assert run.group == "phantom-quick"
    assert PICTURE in run.keys
    assert "sub-07" in run.uploads()


def log_something(cfg) -> None:
    with tracked(cfg, "generator", "something") as run:
        run.log_picture(np.zeros((4, 6), np.uint8), "nothing", 1, "fold-0")
        run.log_table("ranks", [{"participant_id": "sub-07", "rank": 1}], "participant_id")
    if cfg.logger.name == "wandb":
        import_wandb().teardown()  # the file is whole


def test_local_logging_makes_a_run_that_does_nothing(shared_cohort, tmp_path):
    cfg = study("train", f"cohort={shared_cohort.root}", f"work_dir={tmp_path}", "logger=local")
    log_something(cfg)
    assert not Run(cfg, "generator", "nothing")
    assert list(tmp_path.iterdir()) == []


def test_ids_become_numbers_and_summaries_stay():
    rows = [{"who": "sub-b", "x": 1}, {"who": "sub-a", "x": 2}, {"who": "sub-b", "x": 3}, {"who": "mean rank", "x": 4}]
    assert [row["who"] for row in without_ids(rows, "who")] == ["001", "002", "001", "mean rank"]
