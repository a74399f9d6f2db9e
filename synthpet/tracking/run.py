"""One W&B run that cannot fail or hold up the work it is about."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.runtime.console import say
from synthpet.runtime.options import plain
from synthpet.tracking.client import import_wandb
from synthpet.tracking.mode import LOCAL, check_online, group_of, in_a_line, is_wanted
from synthpet.tracking.options import TrackedStudy
from synthpet.tracking.products import Product, cohort_product

WAIT_S = 30  # for W&B to start a run, and to upload what is left of it at its end
SENT = ("gan", "detector", "normative", "detection", "evaluate")  # groups of the configuration, none with a path
_refused: set[str] = set()  # modes that did not work in this process: said once, not tried again


class Run:
    """One W&B run; without W&B an object that does nothing.

    Args:
        study: with ``logger``, ``cohort``, ``work_dir``, ``study_name``, ``seed``.
        job_type: train, complete, quality, uad, evaluate or compare.
        name: of the run.
        config: plain values that tell this run from others.
    """

    def __init__(self, study: TrackedStudy, job_type: str, name: str, config: Mapping[str, Any] | None = None) -> None:
        self._run: Any = None
        self.shows_images = self.shows_ids = self.holds_models = False
        self._logs = is_wanted(study.logger)
        self._safely(lambda: self._start(study, job_type, name, config or {}))

    def __bool__(self) -> bool:
        """Whether something is logged."""
        return self._logs

    def _start(self, study: TrackedStudy, job_type: str, name: str, config: Mapping[str, Any]) -> None:
        cohort = cohort_product(Cohort.open(study.cohort.path))
        simulated = study.cohort.is_simulated
        self.shows_images, self.shows_ids, self.holds_models = (
            bool(simulated or getattr(study.logger, what)) for what in ("images", "ids", "models")
        )
        self.group = group_of(study, cohort.fingerprint)
        about = {"project": study.logger.project, "group": self.group, "job_type": job_type, "name": name}
        chosen = {"study": study.study_name, "simulated": simulated, "seed": study.seed, **_chosen(study, job_type)}
        self._run = _start_run(study.logger.mode, study.work_dir.absolute(), config={**chosen, **config}, **about)
        _drop_logs(self._run)
        self.uses(cohort)

    def log(self, numbers: Mapping[str, float], step: int | None = None) -> None:
        """Numbers at a step; steps may not go back."""
        self._safely(lambda: self._run.log(dict(numbers), step=step))

    def log_picture(self, name: str, picture: NDArray[np.uint8], caption: str, step: int) -> None:
        """A picture (rows, columns), where images may be shown."""
        if self.shows_images:
            self._safely(lambda: self._run.log({name: import_wandb().Image(picture, caption=caption)}, step=step))

    def log_table(self, name: str, rows: Sequence[Mapping[str, Any]], who: str, private: Sequence[str] = ()) -> None:
        """A table; where ids may not be shown, BIDS ids are replaced by numbers and private columns left out.

        Args:
            name: of the table.
            rows: of plain values, all with the same columns.
            who: the column of participant ids.
            private: columns that may tell who somebody is.
        """
        if not rows:
            return
        if not self.shows_ids:
            rows = [{key: row[key] for key in row if key not in private} for row in without_ids(rows, who)]
        columns = list(rows[0])
        data = [[row[column] for column in columns] for row in rows]
        self._safely(lambda: self._run.log({name: import_wandb().Table(columns=columns, data=data)}))

    def uses(self, product: Product) -> None:
        """Say that this run has read a product."""
        self._safely(lambda: self._log_artifact(product, used=True))

    def makes(self, product: Product) -> None:
        """Say that this run has made a product."""
        self._safely(lambda: self._log_artifact(product, used=False))

    def _log_artifact(self, product: Product, *, used: bool) -> None:
        artifact = import_wandb().Artifact(
            f"{self.group}-{product.name}", product.kind, metadata={"sha256": product.fingerprint, **product.facts}
        )
        artifact.add_reference(f"sha256://{product.fingerprint}", name="content", checksum=False)
        files = (*product.models, *(product.named if self.shows_ids else ())) if self.holds_models else ()
        for path in files:
            artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
        # use_artifact() refuses to work offline, though the record that it writes can be uploaded later all the same
        self._run._log_artifact(artifact, is_user_created=True, use_after_commit=used)

    def summarise(self, numbers: Mapping[str, Any]) -> None:
        """Numbers and words for the table of runs; None is left out."""
        known = {key: value for key, value in numbers.items() if value is not None}
        self._safely(lambda: self._run.summary.update(known))

    def alert(self, title: str, text: str) -> None:
        """Warn whoever watches."""
        self._safely(lambda: self._run.alert(title, text, level="WARN"))

    def finish(self, *, failed: bool = False) -> None:
        """End the run."""
        self._safely(lambda: self._run.finish(exit_code=int(failed)))
        self._safely(lambda: _drop_logs(self._run))
        self._logs = False

    def _safely(self, call: Callable[[], object]) -> None:
        """Call W&B; its first failure ends the logging of this run, not the work."""
        if not self._logs:
            return
        try:
            call()
        except Exception as error:  # whatever W&B raises: nothing of it is worth a lost training
            self._logs = False
            _let_go(self._run)
            _say_once("broken", f"W&B stopped logging ({in_a_line(error)}); {LOCAL}")


@contextmanager
def tracked(study: TrackedStudy, job_type: str, name: str, config: Mapping[str, Any] | None = None) -> Iterator[Run]:
    """A run for the time of a block; it ends as failed where the block fails."""
    run = Run(study, job_type, name, config)
    try:
        yield run
    except BaseException:
        run.finish(failed=True)
        raise
    run.finish()


def without_ids(rows: Sequence[Mapping[str, Any]], who: str) -> list[dict[str, Any]]:
    """The rows with 001, 002, ... in the order of appearance instead of BIDS ids."""
    numbers: dict[str, str] = {}
    for row in rows:
        if str(row[who]).startswith("sub-"):
            numbers.setdefault(row[who], f"{len(numbers) + 1:03d}")
    return [{**row, who: numbers.get(row[who], row[who])} for row in rows]


def _chosen(study: TrackedStudy, job_type: str) -> dict[str, Any]:
    """The options that tell runs of this job type apart."""
    groups = {"train": ("gan",), "complete": ("gan",), "quality": ("gan", "evaluate"), "compare": ("detection",)}
    return {key: plain(getattr(study, key)) for key in groups.get(job_type, SENT) if hasattr(study, key)}


def _start_run(mode: str, folder: Path, **about: Any) -> Any:
    """A run in this mode, or offline where online fails."""
    wandb = import_wandb()
    if not os.access(Path.home(), os.W_OK):  # where W&B writes a log of its own, or says at length that it could not
        os.environ["WANDB_CACHE_DIR"] = str(folder / "wandb" / "cache")
    os.environ["WANDB_DATA_DIR"] = str(folder / "wandb")  # copies of tables: not in the home folder
    if mode == "online" and mode not in _refused:
        try:
            check_online()
            return wandb.init(mode="online", dir=folder, settings=_settings(wandb), reinit="create_new", **about)
        except Exception as error:  # whatever W&B raises
            _refused.add(mode)
            _say_once("online", f"W&B cannot be used online ({in_a_line(error)}), so it is used offline; {LOCAL}")
    return wandb.init(mode="offline", dir=folder, settings=_settings(wandb), reinit="create_new", **about)


def _drop_logs(run: Any) -> None:
    """Remove W&B's own logs of a run, which tell the machine's folders and go along when the folder is handed on."""
    folder = Path(run.dir).parent  # of the run; run.dir holds its files
    shutil.rmtree(folder / "logs", ignore_errors=True)
    for link in folder.parent.glob("debug*.log"):
        link.unlink(missing_ok=True)


def _let_go(run: Any) -> None:
    """End the run and W&B's process, or what is left of them: they neither wait nor complain when Python ends."""
    with suppress(Exception):  # it is broken already
        run.finish(exit_code=1)
    with suppress(Exception):
        import_wandb().teardown(exit_code=1)


def _settings(wandb: Any) -> Any:
    """Nothing of the machine, the person or the code; no endless waiting."""
    return wandb.Settings(
        host="",
        username="",
        email="",
        disable_code=True,
        disable_git=True,
        save_code=False,
        console="off",
        silent=True,
        x_disable_machine_info=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=WAIT_S,
        finish_timeout=WAIT_S,
    )


_said: set[str] = set()


def _say_once(what: str, message: str) -> None:
    if what not in _said:
        _said.add(what)
        say(message)
