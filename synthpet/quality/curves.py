"""How generators learned: their losses over the steps, from the ``metrics.jsonl`` of each fold."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import read_folds
from synthpet.cohort.paths import FOLDS, Paths
from synthpet.cohort.text import read_rows
from synthpet.quality.source import Source
from synthpet.report.figures import curves
from synthpet.report.html import Picture

SHOWN = {
    "train/loss_reconstruction": "reconstruction loss, training",
    "val/mae": "MAE in unseen controls, SUVR",
    "train/loss_adversarial": "adversarial loss",
    "train/loss_discriminator": "discriminator loss",
}
WINDOW = 9  # logged values that the training losses are averaged over


def learning_picture(source: Source) -> Picture | None:
    """The curves of the generators that made a set of synthetic PETs; None: their logs are not there."""
    if source.generators is None:
        return None
    folds = read_folds(source.synthetic.root / FOLDS)
    logs = {f"fold {fold.index}": Paths.fold(source.generators, fold.index) / "metrics.jsonl" for fold in folds}
    lines = {fold: _read(path) for fold, path in logs.items() if path.is_file()}
    panels = {
        source.translation.put(title): {fold: found[key] for fold, found in lines.items() if len(found[key][0])}
        for key, title in SHOWN.items()
    }
    panels = {title: found for title, found in panels.items() if found}
    if not panels:
        return None
    return Picture(
        curves(panels, "step"),
        "One line a fold; training losses are running means. The reconstruction loss should fall and level off: one "
        "that still falls at the end asks for more steps. The error in unseen controls must not rise while the "
        "training loss falls. An adversarial loss that runs away, or a discriminator loss near 0, says that the "
        "discriminator has won and teaches nothing more; about 0.25 each is a draw (least squares).",
        "Learning curves of every fold.",
    )


def _read(path: Path) -> dict[str, tuple[NDArray, NDArray]]:
    rows = [row for row in read_rows(path) if "step" in row]
    found = {}
    for key in SHOWN:
        steps, values = (
            np.array([row[name] for row in rows if row.get(key) is not None], float) for name in ("step", key)
        )
        if key.startswith("train/") and len(values) >= 3 * WINDOW:
            steps, values = (np.convolve(a, np.full(WINDOW, 1 / WINDOW), "valid") for a in (steps, values))
        found[key] = (steps, values)
    return found
