"""Voxels in slabs that fit a given number of bytes, worked on by threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from synthpet.runtime.compute import in_threads

T = TypeVar("T")


def slabs(n_voxels: int, bytes_per_voxel: int, slab_bytes: int) -> list[slice]:
    """Cut a row of voxels into slices of at most ``slab_bytes`` each, of one voxel at least.

    >>> slabs(5, 100, 250)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, slab_bytes // bytes_per_voxel)
    return [slice(start, min(start + step, n_voxels)) for start in range(0, n_voxels, step)]


def parts(n_voxels: int, n_jobs: int | None) -> list[slice]:
    """Cut a row of voxels into some slices for each thread, so that none waits long for the last.

    >>> parts(10, 1)
    [slice(0, 3, None), slice(3, 6, None), slice(6, 9, None), slice(9, 10, None)]
    """
    import torch

    return slabs(n_voxels, 1, -(-n_voxels // (4 * (n_jobs or torch.get_num_threads()))))


def for_each(work: Callable[[slice], T], parts: list[slice], n_jobs: int | None) -> list[T]:
    """Call ``work`` on each slice, in as many threads as torch may use or ``n_jobs`` says, in order.

    Threads share the arrays, and torch lets go of the interpreter while it computes; each thread computes on one core,
    because the operations on one slab are too small to be shared.
    """
    import torch

    n_jobs = min(n_jobs or torch.get_num_threads(), len(parts))
    with _one_core_each():
        if n_jobs == 1:
            return [work(part) for part in parts]
        return list(in_threads(work, parts, n_jobs))


@contextmanager
def _one_core_each() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
