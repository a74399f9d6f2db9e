"""Where the artefacts of a study lie below its ``work_dir``; nobody else spells the name of such a folder."""

from dataclasses import dataclass
from pathlib import Path

FOLDS = "folds.json"  # beside generators, and beside what they made
METRICS = "metrics.jsonl"  # beside what a training made


@dataclass(frozen=True)
class Paths:
    """The folders of one study.

    Args:
        work_dir: of the study.
    """

    work_dir: Path

    @property
    def cohort(self) -> Path:
        """The simulated cohort, unless ``cohort.path`` names another place."""
        return self.work_dir / "cohort"

    @property
    def validation(self) -> Path:
        """What the checks of the cohort found."""
        return self.work_dir / "validation.json"

    @property
    def validated(self) -> Path:
        """Who was checked before; the cohort itself may be read-only."""
        return self.work_dir / "cache" / "validated.json"

    @property
    def verification(self) -> Path:
        """What ``verify=`` found."""
        return self.work_dir / "verification.json"

    def volumes(self, translation: str = "") -> Path:
        """Images as a training reads them; ``translation``: empty for the usual one."""
        return self.work_dir / "-".join(("cache", *([translation] if translation else [])))

    def generators(self, gan: str) -> Path:
        """One generator a fold; ``gan``: its name, and its translation where that is not the usual one."""
        return self.work_dir / f"gan-{gan}"

    def look(self, gan: str) -> Path:
        """A picture of what ``generators(gan)`` make while they learn."""
        return self.work_dir / f"first-look-{gan}.png"

    def synthetic(self, gan: str) -> Path:
        """The synthetic images of ``generators(gan)``, and their quality."""
        return self.work_dir / f"synthetic-{gan}"

    def detector(self, detector: str, normative: str, gan: str = "") -> Path:
        """One detector a seed; ``gan``: of the synthetic images that it needs, empty: none."""
        return self.work_dir / _joined("uad", detector, normative, gan)

    def evaluation(self, detector: str, normative: str, gan: str = "") -> Path:
        """What ``detector(...)`` finds in the cohort's patients."""
        return self.work_dir / _joined("evaluation", detector, normative, gan)

    @property
    def comparison(self) -> Path:
        """The table of detectors and normative sets."""
        return self.work_dir / "comparison"

    @property
    def generator_comparison(self) -> Path:
        """The table of generators."""
        return self.work_dir / "generators"

    def patient(self, name: str) -> Path:
        """What was found in a new patient."""
        return self.work_dir / f"detect-{name}"

    def realism(self, anatomy: str) -> Path:
        """The phantom beside real people."""
        return self.work_dir / f"realism-{anatomy}"

    @staticmethod
    def fold(generators: Path, index: int) -> Path:
        """The generator of a fold; ``generators`` may be those of another study."""
        return generators / f"fold-{index}"

    @staticmethod
    def seed(detector: Path, seed: int) -> Path:
        """The detector of a seed."""
        return detector / f"seed-{seed}"

    @staticmethod
    def t1w(detector: Path) -> Path:
        """The z-map of the T1 that tells what of a finding the T1 shows."""
        return detector / "t1w"


def _joined(*parts: str) -> str:
    return "-".join(filter(None, parts))
