"""What is packed for the viewer: values, places, size."""

import base64
import gzip

import numpy as np
import pytest

from synthpet.cohort import Grid
from synthpet.report import viewer
from synthpet.report.viewer import Layer, make_viewer

GRID = Grid.of((20, 24, 18), np.diag([2.0, 2, 2, 1]) + np.array([[0, 0, 0, -19.0], [0] * 4, [0] * 4, [0] * 4]))
MASK = np.zeros(GRID.shape, bool)
MASK[5:15, 6:18, 4:14] = True


def unpack(content, text):
    values = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8)
    return values.reshape(content["shape"], order="F")


def pack(volume, outlined=MASK):
    layer = Layer("x", volume, "gray", (0.0, 2.0), "SUVR")
    return make_viewer([layer], MASK, GRID, outlined=[("a", "cyan", outlined)], places=[], caption="").content


def test_values_come_back_to_half_a_step_and_nothing_lies_outside_the_brain():
    volume = np.random.default_rng(0).uniform(-1, 5, GRID.shape)
    content = pack(volume)
    (layer,) = content["layers"]
    low, high = layer["range"]
    back = low + unpack(content, layer["data"]) / 255 * (high - low)
    box = np.s_[2:18, 3:21, 1:17]  # 6 mm around the mask
    assert back == pytest.approx(np.where(MASK, volume, 0)[box], abs=(high - low) / 255 / 2 + 1e-6)
    assert layer["shown"] == [0.0, 2.0]  # the scale is fixed whatever the volume holds
    assert content["first_mm"] == [-15.0, 6.0, 2.0]


def test_a_fine_volume_is_averaged_over_blocks_and_keeps_its_place(monkeypatch):
    monkeypatch.setattr(viewer, "MOST_VOXELS", 700)
    spot = np.zeros(GRID.shape)
    spot[8:10, 9:11, 7:9] = 1  # one block of 2 x 2 x 2
    content = pack(spot, outlined=spot > 0)
    assert content["step_mm"] == [4.0, 4.0, 4.0]
    (voxel,) = np.argwhere(unpack(content, content["outlines"][0]["data"]))
    assert content["first_mm"] + 4.0 * voxel == pytest.approx([-19 + 2 * 8.5, 2 * 9.5, 2 * 7.5])
