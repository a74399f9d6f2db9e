"""``python -m synthpet``: the commands that make a cohort and synthetic PET, and where to start."""

import sys

from synthpet.command.overview import overview

COMMANDS = ("phantom", "prepare", "validate", "train", "complete", "evaluate", "compare")
START = """\
Start with
  python -m synthpet.evaluate study=tiny            the whole way with ten simulated people, in minutes
  python -m synthpet.prepare bids_dir=<folder>      your own raw images
Each command runs what it needs and is not there yet. To look for lesions: python -m uad"""


def main() -> int:
    """What is typed behind the package's name; return the exit code."""
    return overview("synthpet", COMMANDS, START, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
