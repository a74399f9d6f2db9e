"""The errors a user can meet, each with the exit code of its command (sysexits.h)."""


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
