"""Overlap-add is the inverse of cutting patches, for every patch and stride."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthpet.errors import UsageError
from synthpet.generators.patches import blend_window, extract, overlap_add, patch_origins

AXIS = st.integers(1, 9).flatmap(
    lambda n: st.integers(1, n).flatmap(lambda p: st.tuples(st.just(n), st.just(p), st.integers(1, p)))
)


@settings(deadline=None, max_examples=60)
@given(st.tuples(AXIS, AXIS, AXIS))
def test_overlap_add_returns_what_was_cut(axes):
    shape, patch, stride = zip(*axes, strict=True)
    volume = torch.randn(2, *shape)
    origins = patch_origins(shape, patch, stride)
    torch.testing.assert_close(overlap_add(extract(volume, origins, patch), origins, shape), volume)


def test_origins_end_at_the_border_and_leave_no_gap():
    assert patch_origins((10, 4, 3), (4, 4, 3), (3, 4, 1)).tolist() == [[0, 0, 0], [3, 0, 0], [6, 0, 0]]


@pytest.mark.parametrize(("patch", "stride"), [((11, 4, 3), (1, 1, 1)), ((4, 4, 3), (5, 1, 1)), ((4, 4, 3), (0, 1, 1))])
def test_a_cover_with_gaps_is_refused(patch, stride):
    with pytest.raises(UsageError, match="does not cover"):
        patch_origins((10, 4, 3), patch, stride)


def test_the_window_is_positive_symmetric_and_fades_at_the_border():
    window = blend_window((8, 6, 3))
    assert window.min() > 0
    torch.testing.assert_close(window, window.flip(0, 1, 2))
    assert window[0, 3, 1] < 0.1 * window[4, 3, 1]


def test_patches_of_different_level_leave_no_step_at_their_borders():
    """Two halves that disagree by 1: the blended profile rises in many small steps, none near 1."""
    origins = torch.tensor([[0, 0, 0], [8, 0, 0]])
    patches = torch.stack([torch.zeros(1, 16, 4, 4), torch.ones(1, 16, 4, 4)])
    profile = overlap_add(patches, origins, (24, 4, 4))[0, :, 2, 2]
    assert profile.diff().abs().max() < 0.25
