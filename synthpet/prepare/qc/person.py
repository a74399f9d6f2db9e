"""Quality control of one prepared person, on disk: numbers in ``qc.json``, pictures in ``figures/``."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes, write_json
from synthpet.cohort.images import read_image
from synthpet.cohort.index import scale_t1w
from synthpet.cohort.manifest import MANIFEST, OF_QC
from synthpet.cohort.names import image_path, resolution_label, sidecar_path
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError
from synthpet.plausibility.measures import COLUMNS, asymmetry, brain_points_mm, measure_header, measure_images
from synthpet.prepare.raw import RawSubject
from synthpet.prepare.spaces.native import NativeSpace
from synthpet.runtime.stage import Stage

NUMBERS, ASYMMETRY, FIGURES = "qc.json", "qc-asymmetry.npy", "figures"
DRAWN = ("t1w", "pet", "fused", "flair", "lesion")  # pictures of a person, in this order; those that there are
KINDS = ("t1w", "brain_mask", "gm", "wm", "pet", "flair", "lesion_mask")  # images that are looked at


@dataclass(frozen=True)
class Checked:
    """What quality control wrote of one person: ``numbers`` by column, ``asymmetry`` (n,), ``pictures`` by name.

    ``notes``: what the preparation found worth saying; ``mask_from``: where the brain mask is from, in words.
    """

    numbers: dict[str, float | None]
    asymmetry: NDArray[np.float32]
    pictures: dict[str, bytes]
    notes: tuple[str, ...] = ()
    mask_from: str = ""


def qc_stage(participant_id: str, root: Path) -> Stage:
    """The stage that checks a prepared person; made again when the person was."""
    folder = root / participant_id
    config = {"columns": list(COLUMNS), "pictures": DRAWN}
    return Stage(f"QC {participant_id}", folder, config, (folder / MANIFEST,), OF_QC, quiet=True)


def check_person(raw: RawSubject, root: Path, resolution_mm: float) -> str:
    """Measure and draw a prepared person unless that is done; return why it could not be done, empty when it was.

    Args:
        raw: the person.
        root: of the cohort.
        resolution_mm: of the cohort.
    """
    participant_id = raw.subject.participant_id
    try:
        qc_stage(participant_id, root).ensure(lambda: _write(raw, root, resolution_mm))
    except (DataError, ValueError, KeyError) as error:  # a person that cannot be judged must not hide the others
        return f"E_QC {participant_id}: {type(error).__name__}: {error}"
    return ""


def read_checked(participant_id: str, root: Path) -> Checked:
    """Read what ``check_person`` wrote.

    Raises:
        DataError: it is not there, or not whole.
    """
    folder = root / participant_id
    pictures = {path.stem: path.read_bytes() for path in sorted((folder / FIGURES).glob("*.webp"))}
    found = read_json_object(folder / NUMBERS)
    try:
        sides = np.load(folder / ASYMMETRY, allow_pickle=False).astype(np.float32)
        return Checked(found["Numbers"], sides, pictures, tuple(found["Notes"]), found.get("BrainMask", ""))
    except (KeyError, TypeError, ValueError, EOFError) as error:
        raise DataError(
            f"E_QC {folder}: {NUMBERS} or {ASYMMETRY} is not as it was written ({error}); expected both whole; delete "
            f"{folder / OF_QC} and run the same command again"
        ) from error


def _write(raw: RawSubject, root: Path, resolution_mm: float) -> list[Path]:
    from synthpet.prepare.qc.pictures import draw_person

    participant_id = raw.subject.participant_id
    folder, res = root / participant_id, resolution_label(resolution_mm)
    paths = {kind: root / image_path(participant_id, kind, res=res) for kind in KINDS}
    grid = read_image(paths["t1w"])[1]
    images = {kind: read_image(path, grid=grid)[0] for kind, path in paths.items() if path.is_file()}
    images["t1w"] = scale_t1w(images["t1w"], images["brain_mask"] > 0.5)
    about = read_json_object(sidecar_path(paths["t1w"]))
    numbers = {**_flat(about.get("Measures", {})), **measure_images(images, grid), **_measure_raw(raw, folder)}
    content = io.BytesIO()
    np.save(content, asymmetry(images["gm"], grid))
    drawn = draw_person(images, grid)
    for old in (folder / FIGURES).glob("*.webp"):  # of an image that is no longer there
        if old.stem not in drawn:
            old.unlink()
    told = {"Numbers": numbers, "Notes": about.get("Notes", []), "BrainMask": about.get("BrainMask", "")}
    return [
        write_json(folder / NUMBERS, told),
        write_bytes(folder / ASYMMETRY, content.getvalue()),
        *(write_bytes(folder / FIGURES / f"{name}.webp", image) for name, image in drawn.items()),
    ]


def _flat(measures: Mapping[str, Any]) -> dict[str, float]:
    """The measures that are numbers."""
    return {k: v for k, v in measures.items() if isinstance(v, int | float) and not isinstance(v, bool)}


def _measure_raw(raw: RawSubject, folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    if raw.t1w is not None and raw.t1w.is_file():
        found |= measure_header(raw.t1w)
    native = NativeSpace.read(folder / "transforms")
    if native is not None:
        found["outside_image_percent"] = native.missed_percent(brain_points_mm())
    return found
