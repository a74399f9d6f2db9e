"""One W&B run for everything about one generator, detector or comparison; it cannot fail or hold up the work."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Cohort
from synthpet.runtime.console import say
from synthpet.tracking.client import drop_logs, import_wandb, init, let_go
from synthpet.tracking.identity import run_id, was_begun
from synthpet.tracking.mode import LOCAL, check_online, group_of, in_a_line, is_wanted
from synthpet.tracking.options import TrackedStudy
from synthpet.tracking.products import Product, cohort_product

WANDB = "wandb"  # W&B's folder below the study's
_refused: set[str] = set()  # modes that did not work in this process: said once, not tried again
_open: dict[tuple[str, ...], "Run"] = {}  # runs of this process, within whose blocks others of the same name go on


class Run:
    """One W&B run; without W&B an object that does nothing. It starts with the first thing that is told to it.

    Args:
        study: with ``logger``, ``cohort``, ``work_dir``, ``study_name``, ``seed``.
        kind: generator, detector or comparison: W&B's job type.
        name: of the run.
        about: plain values that tell what is made from others of this name; another value is another run.
    """

    def __init__(self, study: TrackedStudy, kind: str, name: str, about: Mapping[str, Any] | None = None) -> None:
        self._study, self._kind, self._name, self._about = study, kind, name, dict(about or {})
        self._run: Any = None
        self._turn = threading.RLock()  # whoever follows a training talks to it too
        self._sections: set[str] = set()
        self._logs = is_wanted(study.logger)
        self.resumed = False
        self.shows_images, self.shows_ids, self.holds_models = (
            _may(study, what) for what in ("images", "ids", "models")
        )

    def __bool__(self) -> bool:
        """Whether something is logged."""
        return self._logs

    def begin(self) -> None:
        """Start now, so that whoever watches sees that the work has begun; ``resumed`` is known then."""
        self._safely(lambda: None)

    def _start(self) -> None:
        study, folder = self._study, self._study.work_dir.absolute()
        cohort = cohort_product(Cohort.open(study.cohort.path))
        self.group = group_of(study, cohort.fingerprint)
        about = {"seed": study.seed, **self._about}
        identity = run_id(folder / WANDB, self._kind, self._name, {"cohort": cohort.fingerprint, **about})
        self.resumed = was_begun(folder / WANDB, identity)
        self._run = _started(
            study.logger.mode, folder, project=study.logger.project, group=self.group, job_type=self._kind,
            name=self._name, id=identity,
            config={"study": study.study_name, "simulated": study.cohort.is_simulated, **about},
        )  # fmt: skip
        drop_logs(self._run)
        self.uses(cohort)

    def configure(self, options: Mapping[str, Any]) -> None:
        """Add plain options, of a later step, to what the table of runs shows."""
        self._safely(lambda: self._run.config.update(dict(options), allow_val_change=True))

    def log(self, numbers: Mapping[str, Any], step: int, section: str) -> None:
        """Numbers at a step of one training: ``fold-0/train/loss_generator`` over ``fold-0/step``."""
        row = {f"{section}/{key}": value for key, value in {"step": step, **numbers}.items()}

        def log() -> None:
            if section not in self._sections:
                self._run.define_metric(f"{section}/*", step_metric=f"{section}/step")
                self._sections.add(section)
            self._run.log(row)

        self._safely(log)

    def log_picture(self, picture: NDArray[np.uint8], caption: str, step: int, section: str) -> None:
        """A picture (rows, columns) at a step of one training, where images may be shown."""
        if self._logs and self.shows_images:
            self.log({"example": import_wandb().Image(picture, caption=caption)}, step, section)

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
        if self._run is not None:
            self._safely(lambda: self._run.finish(exit_code=int(failed)))
            self._safely(lambda: drop_logs(self._run))
        self._logs = False

    def _safely(self, call: Callable[[], object]) -> None:
        """Call W&B; its first failure ends the logging of this run, not the work."""
        if not self._logs:
            return
        try:
            with self._turn:
                if self._run is None:
                    self._start()
                call()
        except Exception as error:  # whatever W&B raises: nothing of it is worth a lost training
            self._logs = False
            let_go(self._run)
            _say_once("broken", f"W&B stopped logging ({in_a_line(error)}); {LOCAL}")


@contextmanager
def tracked(study: TrackedStudy, kind: str, name: str, about: Mapping[str, Any] | None = None) -> Iterator[Run]:
    """A run for the time of a block, as ``Run``; it ends as failed where the block fails.

    Within the block of a run, blocks of the same run go on with it: a command makes one of it, whatever it calls.
    """
    key = (str(study.work_dir.absolute()), kind, name, repr(about))
    if key in _open:
        yield _open[key]
        return
    run = _open[key] = Run(study, kind, name, about)
    try:
        yield run
    except BaseException:
        run.finish(failed=True)
        raise
    finally:
        del _open[key]
    run.finish()


def pictures_of(study: TrackedStudy, name: str, section: str) -> Path | None:
    """Where a training leaves pictures for the run of this name; None: nobody wants or may see them."""
    if not (is_wanted(study.logger) and _may(study, "images")):
        return None
    return study.work_dir / WANDB / "pictures" / re.sub(r"[^\w.+-]+", "-", name) / section


def _may(study: TrackedStudy, what: str) -> bool:
    """Whether images, ids or models of these people may be in a run."""
    return bool(study.cohort.is_simulated or getattr(study.logger, what))


def without_ids(rows: Sequence[Mapping[str, Any]], who: str) -> list[dict[str, Any]]:
    """The rows with 001, 002, ... in the order of appearance instead of BIDS ids."""
    numbers: dict[str, str] = {}
    for row in rows:
        if str(row[who]).startswith("sub-"):
            numbers.setdefault(row[who], f"{len(numbers) + 1:03d}")
    return [{**row, who: numbers.get(row[who], row[who])} for row in rows]


def _started(mode: str, folder: Path, **about: Any) -> Any:
    """A run in this mode, or offline where online fails."""
    if mode == "online" and mode not in _refused:
        try:
            check_online()
            return init("online", folder, **about)
        except Exception as error:  # whatever W&B raises
            _refused.add(mode)
            _say_once("online", f"W&B cannot be used online ({in_a_line(error)}), so it is used offline; {LOCAL}")
    return init("offline", folder, **about)


_said: set[str] = set()


def _say_once(what: str, message: str) -> None:
    if what not in _said:
        _said.add(what)
        say(message)
