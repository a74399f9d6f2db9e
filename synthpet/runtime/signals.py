"""SIGTERM, Ctrl-C, a terminal that closes: what is being done comes to a good place; then 143, 130, 129 (131).

``Stopped`` is raised in the main thread, so that every ``finally`` removes its temporary file and its lock. What must
do something first (a training saves a checkpoint, worker processes come to their end) says so by ``before_stopping``.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from synthpet.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
AGAIN_S = 1.0  # a second signal after so long means: at once
PARENT_EVERY_S = 0.5
_FIRST: list[Callable[[int], bool]] = []  # the latest last
_asked: list[float] = []  # when signals came
_taken: list[int] = []  # signals that a block of ``stopping_by_signal`` has taken


@contextmanager
def stopping_by_signal() -> Iterator[None]:
    """Raise ``Stopped`` for a signal while the block runs; in the main thread only, elsewhere nothing changes.

    A signal that is ignored, such as Ctrl-C for a command in the background, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _asked.clear()
    _taken[:] = [number for number in SIGNALS if before[number] != signal.SIG_IGN]
    take_signals()
    try:
        yield
    finally:
        _taken.clear()
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def take_signals() -> None:
    """Within such a block: take the signals again, where somebody else has taken them since."""
    if threading.current_thread() is threading.main_thread():
        for number in _taken:
            signal.signal(number, _on_signal)


@contextmanager
def before_stopping(first: Callable[[int], bool]) -> Iterator[None]:
    """While the block runs, a signal calls ``first(number)``; ``Stopped`` is raised unless it returns True.

    ``first`` that returns True raises ``Stopped`` by itself soon. A second signal does not ask it again.
    """
    _FIRST.append(first)
    try:
        yield
    finally:
        _FIRST.remove(first)


def _on_signal(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    _asked.append(now)
    if now - _asked[0] > AGAIN_S:
        raise Stopped(number)
    if len(_asked) == 1 and not any(first(number) for first in reversed(_FIRST)):
        raise Stopped(number)


def end_with_parent() -> None:
    """Let this worker process stop by SIGTERM once the process that started it is gone, so that none is left over."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_EVERY_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="end_with_parent").start()
