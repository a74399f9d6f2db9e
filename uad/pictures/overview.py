"""One picture of the whole method for a finished study: T1, PET, synthetic PET, and what the detector found.

python -m uad.pictures.overview outputs/phantom-quick sub-p004 figure.png
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from synthpet.cohort import Cohort, read_image
from synthpet.cohort.files import read_tsv, write_bytes
from synthpet.cohort.paths import Paths
from synthpet.errors import SynthPetError

USAGE = "python -m uad.pictures.overview <work_dir> <patient> <figure.png> [<generator> [<detector>]]"


def draw(work_dir: Path, patient: str, generator: str = "patch3d", detector: str = "residual_conditional") -> bytes:
    """PNG of one axial slice of a patient, where the lesion stands out most: T1, PET, synthetic PET, anomaly map.

    Args:
        work_dir: of a finished study.
        patient: participant with a known lesion.
        generator: whose synthetic PET is shown.
        detector: evaluated with ``normative=completed`` and this generator, or with ``real`` where the comparison runs
            it once for both.

    Raises:
        DataError: an image is missing or broken.
    """
    from matplotlib.figure import Figure

    from synthpet.report.figures import png
    from uad.pictures.figures import LESION_COLOUR, pet_layer, t1w_layer, z_layer

    cohort = Cohort.open((paths := Paths(work_dir)).cohort)
    made = replace(cohort, root=paths.synthetic(generator))
    synthetic = read_image(made.path(patient, "synthetic_pet"), grid=cohort.grid)[0]
    mask, lesion = cohort.load_mask(patient), cohort.load_lesion(patient)
    folders = [paths.evaluation(detector, normative, generator) for normative in ("completed", "real")]
    folder = next((folder for folder in folders if folder.is_dir()), folders[0])
    stem = f"{patient}_space-{cohort.space}_res-{cohort.res}"
    z = read_image(folder / patient / f"{stem}_desc-anomaly_zmap.nii.gz", grid=cohort.grid)[0]
    rows = {row["participant_id"]: row for row in read_tsv(folder / "ranks.tsv")}
    rank = rows[patient]["rank"]
    found = "missed" if rank == "n/a" else f"lesion found at rank {rank}"
    simulated = ", simulated" if cohort.is_simulated else ""
    columns = [
        (t1w_layer(cohort.load_t1w(patient)), f"T1 MRI{simulated}"),
        (pet_layer(cohort.load(patient, "pet") * mask), f"FDG PET{simulated or ', measured'}\n(hypometabolic lesion)"),
        (pet_layer(synthetic * mask), "SYNTHETIC PET\ncomputed from the T1"),
        (z_layer(np.where(mask, z, 0)), f"anomaly map\n{found}"),
    ]
    slice_k = int(np.argmax(np.where(lesion, z, 0).sum(axis=(0, 1))))
    box = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2))]
    i, j = (slice(max(0, b[0] - 2), b[-1] + 3) for b in box)
    shape = lesion[i, j, slice_k].shape
    figure = Figure(figsize=(10, 10 / 4 * shape[1] / shape[0] + 0.95), facecolor="white")
    for panel, (layer, title) in enumerate(columns):
        tall = 1 - 0.95 / figure.get_figheight()
        axes = figure.add_axes((panel / 4 + 0.003, 0.4 / figure.get_figheight(), 0.244, tall))
        shown = axes.imshow(
            layer.volume[i, j, slice_k].T, origin="lower", cmap=layer.colours, vmin=layer.shown[0],
            vmax=layer.shown[1], interpolation="bilinear", aspect="auto",
        )  # fmt: skip
        axes.contour(lesion[i, j, slice_k].T.astype(float), levels=[0.5], colors=LESION_COLOUR, linewidths=1.4)
        axes.set_axis_off()
        axes.set_title(title, fontsize=11)
        for side, x, ha in (("L", 0.03, "left"), ("R", 0.97, "right")):
            axes.text(x, 0.97, side, color="white", ha=ha, va="top", transform=axes.transAxes, weight="bold")
        bar = figure.add_axes((panel / 4 + 0.05, 0.3 / figure.get_figheight(), 0.15, 0.02))
        figure.colorbar(shown, cax=bar, orientation="horizontal")
        bar.tick_params(labelsize=7, pad=1)
        bar.text(1.05, 0.5, layer.unit, transform=bar.transAxes, fontsize=8, va="center")
    return png(figure, dpi=100)


def main(arguments: list[str]) -> int:
    """Write the picture that the arguments name; return the exit code."""
    if not 3 <= len(arguments) <= 5:
        print(USAGE, file=sys.stderr)
        return 64
    work_dir, patient, target, *more = arguments
    try:
        write_bytes(Path(target), draw(Path(work_dir), patient, *more))
    except SynthPetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
