"""Results against their manifests: is every file there, and does it still have the SHA-256 that it was written with?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthpet.cohort.files import sha256
from synthpet.cohort.manifest import ANY, MANIFEST, Manifest
from synthpet.cohort.paths import FOLDS
from synthpet.cohort.problems import WARNING, Problem, Report
from synthpet.errors import DataError
from synthpet.runtime.console import progress

NO_RESULT = ("cache", "wandb", "logs")  # folders of what is made again, or of others
NOT_LISTED = (
    "validation.json", "verification.json", FOLDS, "error.log", "last.ckpt", "previous.ckpt", "metrics.jsonl",
)  # fmt: skip  # written beside a stage's result


def verify(root: Path) -> Report:
    """Check every manifest below a folder.

    Args:
        root: of results, such as ``outputs/my-study``; any folder with a manifest in it or below.

    Returns:
        Errors: a file that a manifest lists is missing or has other content. Warnings: a file that no manifest lists.

    Raises:
        DataError: no manifest there.
    """
    manifests = sorted(path for path in root.rglob(ANY) if path.is_file())
    if not manifests:
        raise DataError(
            f"E_NO_MANIFEST {root}: no {MANIFEST} in it or below; expected a folder of results; check its name"
        )
    problems: list[Problem] = []
    listed: set[Path] = set(manifests)
    for manifest in progress(manifests, "verifying", len(manifests)):
        for name, about in _outputs(manifest, root, problems):
            path = manifest.parent / name
            listed.add(path)
            problems += _check(path, about, root)
    others = (path for path in sorted(root.rglob("*")) if path.is_file() and path not in listed)
    for path in others:
        relative = path.relative_to(root)
        if not set(NO_RESULT) & set(relative.parts) and path.name not in NOT_LISTED and not path.name.startswith("."):
            problems.append(Problem("", relative.as_posix(), "E_NOT_LISTED", "in no manifest; not checked", WARNING))
    return Report(root.resolve().name, len(manifests), tuple(problems), unit="manifests")


def _outputs(manifest: Path, root: Path, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    try:
        yield from Manifest.read(manifest.parent, manifest.name).outputs.items()
    except DataError:
        name = manifest.relative_to(root).as_posix()
        words = "no manifest that can be read; expected JSON with outputs; run the step again"
        problems.append(Problem("", name, "E_MANIFEST", words))


def _check(path: Path, about: Any, root: Path) -> list[Problem]:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    if not path.is_file():
        return [
            Problem("", name, "E_MISSING", "no such file; expected one, as its manifest lists it; run the step again")
        ]
    found = sha256(path)
    wanted = about.get("sha256") if isinstance(about, dict) else None
    if found != wanted:
        words = f"SHA-256 {found[:12]}; expected {str(wanted)[:12]} as its manifest says; run the step again"
        return [Problem("", name, "E_CHANGED", words)]
    return []
