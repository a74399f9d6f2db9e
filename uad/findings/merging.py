"""How the clusters of one map grow and join as the threshold falls: voxels are added one by one, the highest first.

Compiled, because it is a loop over voxels whose every step depends on the one before: a volume of 1.8 million brain
voxels takes tenths of a second where labelling it at each of 200 thresholds takes half a minute.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthpet.runtime.machine_code import machine_code
from uad.findings.clusters import NEIGHBOURS


class Falling(NamedTuple):
    """Voxels above a level in falling order, those of equal height in C order.

    Args:
        z: (n,), float64.
        flat: (n,), where each lies in the flattened volume.
        place: the volume with a border of one voxel, flattened: position in this order, -1 where there is none.
        cell: (n,), where each lies in ``place``.
        steps: (26,), from a cell to its neighbours.
    """

    z: NDArray[np.float64]
    flat: NDArray[np.int64]
    place: NDArray[np.int32]
    cell: NDArray[np.int64]
    steps: NDArray[np.int64]


def falling(z_map: NDArray, where: NDArray[np.bool_]) -> Falling:
    """Put the voxels of (I, J, K) ``where`` into falling order of ``z_map``."""
    flat = np.flatnonzero(where)
    z = z_map.ravel()[flat].astype(np.float64)
    order = np.argsort(-z, kind="stable")
    z, flat = z[order], flat[order]
    shape = tuple(n + 2 for n in where.shape)
    cell = np.ravel_multi_index(tuple(axis + 1 for axis in np.unravel_index(flat, where.shape)), shape)
    place = np.full(int(np.prod(shape)), -1, np.int32)
    place[cell] = np.arange(z.size, dtype=np.int32)
    offsets = np.argwhere(NEIGHBOURS) - 1
    steps = offsets[offsets.any(axis=1)] @ (shape[1] * shape[2], shape[2], 1)
    return Falling(z, flat, place, cell, steps)


def changes_of_number(voxels: Falling, smallest: int) -> NDArray[np.int64]:
    """By how much each voxel changes the number of clusters of at least ``smallest`` voxels when it is added, (n,)."""
    return _changes(voxels, smallest)


def touched_at(
    voxels: Falling, marked: NDArray[np.bool_], thresholds: Sequence[float], smallest: int, kept: int
) -> NDArray[np.bool_]:
    """Whether one of the heaviest clusters holds a marked voxel, at each threshold, (s,).

    Args:
        voxels: at least those above the lowest threshold.
        marked: (n,), in their order.
        thresholds: (s,), in any order; a cluster is of voxels above it.
        smallest: voxels from which a cluster counts.
        kept: how many clusters count, by mass: the sum of (z - threshold).
    """
    levels = np.asarray(thresholds, np.float64)
    order = np.argsort(-levels, kind="stable")
    n_above = np.searchsorted(-voxels.z, -levels[order], side="left")
    found = np.empty(levels.size, bool)
    found[order] = _touched(voxels, marked, levels[order], n_above, smallest, kept)
    return found


@machine_code()
def _root(parent, voxel):  # type: ignore[no-untyped-def]
    while parent[voxel] != voxel:
        parent[voxel] = parent[parent[voxel]]
        voxel = parent[voxel]
    return voxel


@machine_code()
def _changes(voxels, smallest):  # type: ignore[no-untyped-def]
    place, cell, steps = voxels.place, voxels.cell, voxels.steps
    n = cell.size
    parent, size = np.arange(n), np.ones(n, np.int64)
    changes = np.zeros(n, np.int64)
    for voxel in range(n):
        changes[voxel] += smallest <= 1
        own = voxel
        for step in steps:
            other = place[cell[voxel] + step]
            if other < 0 or other >= voxel:
                continue
            large = _root(parent, other)
            if large == own:
                continue
            small = own
            if size[large] < size[small]:
                large, small = small, large
            both = size[large] + size[small]
            changes[voxel] += (both >= smallest) - (size[large] >= smallest) - (size[small] >= smallest)
            parent[small] = large
            size[large] = both
            own = large
    return changes


@machine_code()
def _touched(voxels, marked, levels, n_above, smallest, kept):  # type: ignore[no-untyped-def]
    place, cell, steps = voxels.place, voxels.cell, voxels.steps
    n = cell.size
    parent, size, total = np.arange(n), np.ones(n, np.int64), voxels.z.copy()
    first, hit = voxels.flat.copy(), marked.copy()
    touched = np.zeros(levels.size, np.bool_)
    roots, n_roots, voxel = np.empty(n, np.int64), 0, 0
    for number in range(levels.size):
        while voxel < n_above[number]:
            own = voxel
            for step in steps:
                other = place[cell[voxel] + step]
                if other < 0 or other >= voxel:
                    continue
                large = _root(parent, other)
                if large == own:
                    continue
                small = own
                if size[large] < size[small]:
                    large, small = small, large
                parent[small] = large
                size[large] += size[small]
                total[large] += total[small]
                first[large] = min(first[large], first[small])
                hit[large] = hit[large] or hit[small]
                own = large
            roots[n_roots] = voxel
            n_roots += 1
            voxel += 1
        left = 0  # forget those that have joined others
        for k in range(n_roots):
            if parent[roots[k]] == roots[k]:
                roots[left] = roots[k]
                left += 1
        n_roots = left
        touched[number] = _heaviest_hit(roots[:n_roots], size, total, first, hit, levels[number], smallest, kept)
    return touched


@machine_code()
def _heaviest_hit(roots, size, total, first, hit, level, smallest, kept):  # type: ignore[no-untyped-def]
    """Whether a hit cluster is among the ``kept`` heaviest: fewer than that come before it."""
    best = -1
    for root in roots:  # the first of those that are hit, by rank
        if hit[root] and size[root] >= smallest and (best < 0 or _before(root, best, size, total, first, level)):
            best = root
    if best < 0:
        return False
    ahead = 0
    for root in roots:
        if size[root] >= smallest and root != best and _before(root, best, size, total, first, level):
            ahead += 1
    return ahead < kept


@machine_code()
def _before(one, other, size, total, first, level):  # type: ignore[no-untyped-def]
    """Rank as in ``find_clusters``: by mass, then size, then C order."""
    mass, than = total[one] - level * size[one], total[other] - level * size[other]
    if mass != than:
        return mass > than
    if size[one] != size[other]:
        return size[one] > size[other]
    return first[one] < first[other]
