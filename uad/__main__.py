"""``python -m uad``: the commands that learn what is normal and look for lesions, and where to start."""

import sys

from synthpet.command.overview import overview

COMMANDS = ("uad_train", "uad_evaluate", "uad_compare", "uad_detect")
START = """\
Start with
  python -m uad.evaluate study=tiny detector=zmap   a detector and its findings in simulated patients, in minutes
  python -m uad.detect cohort=<folder> t1w=<file> pet=<file>    one patient of your own
Each command runs what it needs and is not there yet. Cohorts and synthetic PET: python -m synthpet"""


def main() -> int:
    """What is typed behind the package's name; return the exit code."""
    return overview("uad", COMMANDS, START, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
