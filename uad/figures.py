"""Pictures of anomaly maps: maximum-intensity projections, brighter is more suspicious."""

import numpy as np
from numpy.typing import NDArray

from synthpet.cohort import Grid

VIEWS = (("from above", 2), ("from the front", 1), ("from the side", 0))
Z_SHOWN = (1.0, 6.0)  # the same scale in every picture


def projections(
    z: NDArray, labels: NDArray, lesion: NDArray[np.bool_] | None, mask: NDArray[np.bool_], grid: Grid
) -> bytes:
    """Maximum-intensity projections of a z-map along the three axes, as PNG.

    Args:
        z: (I, J, K), high = abnormal.
        labels: (I, J, K), rank of the cluster a voxel belongs to; a rank stands at its cluster's brightest voxel.
        lesion: (I, J, K), outlined where known.
        mask: (I, J, K), the brain, outlined.
        grid: of all four, RAS+.
    """
    import matplotlib.pyplot as plt

    from synthpet.report.figures import png

    figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained", facecolor="white")
    for axis_of, (title, axis) in zip(axes, VIEWS, strict=True):
        across, up = (a for a in range(3) if a != axis)
        low = grid.matrix[:3, 3]
        size = np.array(grid.spacing_mm) * np.array(grid.shape)
        extent = (low[across], low[across] + size[across], low[up], low[up] + size[up])
        shown = axis_of.imshow(
            z.max(axis=axis).T, origin="lower", extent=extent, cmap="magma", vmin=Z_SHOWN[0], vmax=Z_SHOWN[1]
        )
        for outline, colour in ((mask, "grey"), (lesion, "cyan")):
            if outline is not None:
                shadow = outline.max(axis=axis).T
                axis_of.contour(shadow, levels=[0.5], colors=colour, linewidths=1, extent=extent, origin="lower")
        _write_ranks(axis_of, z, labels, (across, up), grid)
        axis_of.set_title(title)
        axis_of.set_xlabel("mm, left to right" if across == 0 else "mm, back to front")
        axis_of.set_ylabel("mm")
    figure.colorbar(shown, ax=axes, label="z, brighter = more suspicious", shrink=0.8)
    return png(figure)


def _write_ranks(axis: "plt.Axes", z: NDArray, labels: NDArray, shown: tuple[int, int], grid: Grid) -> None:  # type: ignore[name-defined] # noqa: F821
    for rank in range(1, int(labels.max()) + 1):
        peak = np.unravel_index(np.argmax(np.where(labels == rank, z, -np.inf)), z.shape)
        point = grid.matrix[:3, :3] @ peak + grid.matrix[:3, 3]
        axis.text(point[shown[0]], point[shown[1]], str(rank), color="white", ha="center", va="center", fontsize=9)
