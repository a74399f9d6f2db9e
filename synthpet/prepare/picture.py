"""One picture of all prepared subjects: does each brain fill the template, is a mask cut, is one tilted?"""

import io
from collections.abc import Iterable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from synthpet.cohort.files import write_bytes
from synthpet.cohort.images import Grid
from synthpet.cohort.index import Cohort
from synthpet.cohort.template import TemplateImages, template_images

SUBJECTS_PER_ROW = 4
SLICES_MM = {2: 5.0, 1: -20.0, 0: 4.0}  # axis: where it is cut (thalamus and ventricles, brain stem, midline)
CAPTION = (
    "Look for: the red line (the subject's brain mask) on the brain's edge; the blue line (the template's white "
    "matter) on the white matter; the left of each picture is the subject's left."
)


def write_contact_sheet(cohort: Cohort, path: Path) -> Path:
    """Draw three slices of every subject's T1 with its brain mask and the template's white matter; write a PNG."""
    template = template_images(cohort.grid)
    n_rows = -(-len(cohort.subjects) // SUBJECTS_PER_ROW)
    n_columns = SUBJECTS_PER_ROW * len(SLICES_MM)
    figure = Figure(figsize=(1.5 * n_columns, 1.75 * n_rows + 0.6), facecolor="black", layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for place, subject in enumerate(cohort.subjects):
        row, column = divmod(place, SUBJECTS_PER_ROW)
        t1w = cohort.load(subject.participant_id, "t1w")
        mask = cohort.load_mask(subject.participant_id)
        cells = axes[row, column * len(SLICES_MM) : (column + 1) * len(SLICES_MM)]
        _draw_subject(cells, t1w, mask, template, cohort.grid)
        cells[0].set_title(subject.participant_id, color="white", fontsize=8, loc="left")
    figure.supxlabel(CAPTION, color="white", fontsize=8)
    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return write_bytes(path, stream.getvalue())


def _draw_subject(cells: Iterable[Axes], t1w: NDArray, mask: NDArray, template: TemplateImages, grid: Grid) -> None:
    for cell, (axis, position_mm) in zip(cells, SLICES_MM.items(), strict=True):
        index = round((position_mm - grid.affine[axis][3]) / grid.spacing_mm[axis])

        def cut(image: NDArray, axis: int = axis, index: int = index) -> NDArray:
            return image.take(index, axis).T.astype(float)

        cell.imshow(cut(t1w), cmap="gray", vmin=0, vmax=1.2, origin="lower")
        cell.contour(cut(mask), [0.5], colors="red", linewidths=0.6)
        cell.contour(cut(template.wm), [0.5], colors="deepskyblue", linewidths=0.4)
