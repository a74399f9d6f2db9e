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


def unpack(found, k):
    """Bytes of the k-th volume: every slice was written as its difference from the one below."""
    steps = np.frombuffer(gzip.decompress(base64.b64decode(found.volumes[k])), np.uint8)
    return np.cumsum(steps.reshape(found.content["shape"], order="F"), axis=2, dtype=np.uint8)


def pack(*volumes, outlined=MASK, mask=MASK, grid=GRID, **about):
    layers = [Layer("x", volume, "gray", (0.0, 2.0), "uptake, SUVR", **about) for volume in volumes]
    return make_viewer(layers, mask, grid, outlined=[("a", "cyan", outlined)], places=[], caption="")


def test_values_come_back_to_half_a_step_and_nothing_lies_outside_the_brain():
    volume = np.random.default_rng(0).uniform(-1, 5, GRID.shape)
    found = pack(volume)
    (layer,) = found.content["layers"]
    low, high = layer["range"]
    back = low + (unpack(found, 0).astype(float) - 1) / 254 * (high - low)
    box = np.s_[2:18, 3:21, 1:17]  # 6 mm around the mask
    assert back[MASK[box]] == pytest.approx(volume[MASK], abs=(high - low) / 254 / 2 + 1e-6)
    assert ((unpack(found, 0) == 0) == ~MASK[box]).all()
    assert layer["shown"] == [0.0, 2.0]  # the scale is fixed whatever the volume holds
    assert layer["unit"] == "SUVR"
    assert found.content["first_mm"] == [-15.0, 6.0, 2.0]


def test_a_brain_at_1_mm_is_shown_in_full():
    grid = Grid.of((163, 199, 173), np.eye(4))
    mask = np.zeros(grid.shape, bool)
    mask[9:-9, 9:-9, 9:-9] = True
    found = pack(mask.astype(np.float32), mask=mask, grid=grid, outlined=mask)
    assert found.content["shape"] == [157, 193, 167]
    assert found.content["step_mm"] == [1.0, 1.0, 1.0]


def test_a_voxel_that_is_unknown_harms_no_other():
    volume = np.where(MASK, 1.0, np.nan)
    volume[6, 7, 5] = np.nan
    found = pack(volume)
    assert found.content["layers"][0]["range"] == [0.0, 2.0]
    inside = unpack(found, 0)[MASK[2:18, 3:21, 1:17]]
    assert sorted(set(inside.tolist())) == [1, 128] and (inside == 1).sum() == 1


def test_a_pet_can_be_seen_in_the_colours_that_its_readers_are_used_to():
    plain, pet = pack(MASK).content, pack(MASK, pet=True).content
    assert plain["layers"][0]["choices"] == ["gray"]
    assert pet["layers"][0]["choices"] == ["gray", "gray_r", "hot"]
    assert pet["palettes"]["hot"]["words"] == "hot iron"
    tables = {name: base64.b64decode(about["colours"]) for name, about in pet["palettes"].items()}
    assert {len(table) for table in tables.values()} == {768}
    assert tables["gray"] == tables["gray_r"][::-1]
    assert tables["hot"][-3:] == b"\xff\xff\xff" and tables["hot"][3 * 60] > 2 * max(tables["hot"][3 * 60 + 1], 1)


def test_a_fine_volume_is_averaged_over_blocks_and_keeps_its_place(monkeypatch):
    monkeypatch.setattr(viewer, "MOST_VOXELS", 700)
    spot = np.zeros(GRID.shape)
    spot[8:10, 9:11, 7:9] = 1  # one block of 2 x 2 x 2
    found = pack(spot, outlined=spot > 0)
    assert found.content["step_mm"] == [4.0, 4.0, 4.0]
    (voxel,) = np.argwhere(unpack(found, 1))
    assert found.content["first_mm"] + 4.0 * voxel == pytest.approx([-19 + 2 * 8.5, 2 * 9.5, 2 * 7.5])
