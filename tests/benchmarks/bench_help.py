"""How fast: ``--help`` of every command. What bounds it: starting Python and importing Hydra."""

import subprocess
import sys
from collections.abc import Iterator

from table import Row, seconds, words

COMMANDS = (
    "synthpet.phantom", "synthpet.prepare", "synthpet.train", "synthpet.complete", "synthpet.evaluate",
    "synthpet.validate", "uad.train", "uad.evaluate", "uad.compare", "uad.detect",
)  # fmt: skip


def rows(tiny: bool = False) -> Iterator[Row]:
    """The slowest command, and Hydra alone beside it."""
    commands, repeats = (COMMANDS[:1], 1) if tiny else (COMMANDS, 3)
    took = {name: min(run("-m", name, "--help") for _ in range(repeats)) for name in commands}
    slowest = max(took, key=took.__getitem__)
    hydra = min(run("-c", "import hydra") for _ in range(repeats))
    part = f"--help of the slowest of {len(took)} commands ({slowest})"
    yield Row(part, "import of Hydra alone", words(took[slowest]), words(hydra), "-", "under 1.5 s")


def run(*arguments: str) -> float:
    """Seconds of a program that must succeed."""
    return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True))
