"""A reader who has seen enough, such as ``head``, is no error of the command that it reads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CLOSED = 141  # what a shell says of a program that SIGPIPE ended


@contextmanager
def ending_with_its_reader() -> Iterator[None]:
    """End with exit code 141 and without a word where the output, or that for errors, was closed within the block."""
    try:
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None and not stream.closed:
                    stream.flush()  # here, and not when Python ends, where it would be complained of
    except BrokenPipeError:
        _say_nothing_more()
        sys.exit(CLOSED)


def _say_nothing_more() -> None:
    """What is still held back, and what libraries say at the end, goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
