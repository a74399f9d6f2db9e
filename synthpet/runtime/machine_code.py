"""Loops compiled by numba, kept on disk where there is a place to write."""

from collections.abc import Callable
from typing import Any

import numba


def machine_code(**options: Any) -> Callable[[Callable], Any]:
    """A decorator: compile a function at its first call; it lets go of the interpreter, so that threads run at once.

    The compiled code is kept beside the source or in the user's cache, and renewed when that source file changes: what
    a compiled function calls should stand in the same file. Where neither folder is writable it is compiled anew.

    What it calls becomes part of it. Left apart, a called function exists once on its own and once beside each caller,
    rounded in different ways, and a process runs whichever it met first: one that compiles another than one that reads
    what was kept. So nothing here may call itself.

    Args:
        options: of ``numba.njit``.
    """

    def decorate(function: Callable) -> Any:
        try:
            return numba.njit(nogil=True, cache=True, forceinline=True, **options)(function)
        except RuntimeError:  # numba's "no locator available"
            return numba.njit(nogil=True, forceinline=True, **options)(function)

    return decorate
