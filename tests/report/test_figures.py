"""Brain figures: sides, scales and reproducible bytes."""

import io

import numpy as np
import pytest
from matplotlib import image as reader

from synthpet.report.figures import Panel, regional_bars, slices, strips
from synthpet.template.icbm import template_grid

GRID = template_grid(5.0)


def pixels(png):
    return reader.imread(io.BytesIO(png), format="png")[..., :3]


def marked(condition):
    """A volume of zeros with 1 where ``condition(x, y, z)`` in mm holds."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1)
    return condition(*np.moveaxis(index @ GRID.matrix[:3, :3].T + GRID.matrix[:3, 3], -1, 0)).astype(np.float32)


def red_share(volume, part):
    """Share of strongly red pixels within a part (rows, columns as fractions) of a one-column figure."""
    shown = pixels(slices([Panel("", volume, "Reds", 0, 1)], GRID))
    rows, columns = (slice(int(a * n), int(b * n)) for (a, b), n in zip(part, shown.shape, strict=False))
    red = (shown[..., 0] > 0.3) & (shown[..., 1] < 0.1) & (shown[..., 2] < 0.2)
    return red[rows, columns].sum() / max(red[: int(0.9 * len(red))].sum(), 1)


AXIAL, SAGITTAL = (0.03, 0.5), (0.73, 0.9)  # rows of the figure


def test_the_left_of_the_brain_is_on_the_left_of_the_picture():
    left = marked(lambda x, y, z: (x < -20) & (np.abs(x) < 60))
    assert red_share(left, (AXIAL, (0, 0.55))) > 0.5
    assert red_share(left, (AXIAL, (0.6, 1))) == 0


def test_the_front_of_the_brain_is_on_the_right_of_the_sagittal_slice():
    front = marked(lambda x, y, z: y > 10)
    assert red_share(front, (SAGITTAL, (0.6, 1))) > 0.1
    assert red_share(front, (SAGITTAL, (0, 0.5))) == 0


def test_up_is_up():
    top = marked(lambda x, y, z: z > 40)
    sagittal = pixels(slices([Panel("", top, "Reds", 0, 1)], GRID))
    rows = np.flatnonzero(((sagittal[..., 0] > 0.3) & (sagittal[..., 1] < 0.1)).any(axis=1))
    rows = rows[rows > 0.7 * len(sagittal)]
    assert rows.min() < 0.76 * len(sagittal)  # at the slice's upper edge
    assert rows[rows < 0.9 * len(sagittal)].max() < 0.82 * len(sagittal)


@pytest.mark.parametrize("value", [0.5, 0.7])
def test_equal_values_have_equal_colours_whatever_else_the_volume_holds(value):
    low = np.full(GRID.shape, value, np.float32)
    high = low.copy()
    high[0, 0, 0] = 100
    first, second = (pixels(slices([Panel("", volume, "viridis", 0, 1)], GRID)) for volume in (low, high))
    centre = tuple(n // 2 for n in first.shape[:2])
    np.testing.assert_array_equal(first[centre], second[centre])


def test_equal_input_gives_equal_bytes():
    rng = np.random.default_rng(0)
    panel = Panel("noise", rng.random(GRID.shape), "gray", 0, 1)
    assert slices([panel, panel], GRID) == slices([panel, panel], GRID)


def test_strips_and_bars_draw_one_subject_and_equal_values_too():
    labels = {"mae": "error", "synthetic": "synthetic", "mean_pet": "mean"}
    for column in (np.array([0.1]), np.array([0.1, 0.1, 0.1]), np.array([0.1, 0.3, 0.2])):
        shown = pixels(strips({"mae": {"synthetic": column, "mean_pet": column + 0.1}}, labels, {"mae": "lower"}))
        assert np.ptp(shown) > 0.5
    bars = regional_bars(["a", "b"], {"synthetic": (np.array([0.1, -0.2]), np.array([0.0, 0.1]))}, labels, "SUVR")
    assert np.ptp(pixels(bars)) > 0.5
