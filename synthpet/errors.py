"""The errors a user can meet, each with the exit code of its command (sysexits.h)."""

import re

# Control characters but tab and line feed, marks that turn the direction of writing, and bytes that are no UTF-8
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
BREAKS = re.compile("[\t\n]")


class SynthPetError(Exception):
    """A problem that a user can act on: the message names what was found, expected and what to do."""

    exit_code = 70


class UsageError(SynthPetError):
    """A wrong option or configuration."""

    exit_code = 64


class DataError(SynthPetError):
    """An image or table that cannot be used as it is."""

    exit_code = 65


class DataLeakageError(DataError):
    """Data that must not meet would meet: a patient in training, a held-out subject in its own fold."""


class TrainingError(SynthPetError):
    """Training went wrong in a way that a restart alone does not mend."""


class DiskError(SynthPetError):
    """The disk refused a write."""

    exit_code = 74


class BusyError(SynthPetError):
    """Another process works on the same folder."""

    exit_code = 75


class IdError(DataError):
    """A name that could lead outside a folder."""

    exit_code = 64


class Stopped(BaseException):
    """A signal; no error, so that nothing takes it for one person's problem. Argument: the signal's number."""

    @property
    def exit_code(self) -> int:
        """As shells have it: 143 for SIGTERM, 130 for Ctrl-C, 129 for a terminal that closes."""
        return 128 + int(self.args[0])


def printable(text: str) -> str:
    r"""The text with such signs as ``\u001b``, which JSON and JavaScript read back as they were."""
    return OBEYED.sub(_written, text)


def one_line(text: str) -> str:
    """The same for a cell of a table: also without tabs and line feeds."""
    return BREAKS.sub(_written, printable(text))


def _written(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
