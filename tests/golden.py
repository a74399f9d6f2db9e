"""Golden reference: every file that ``study=tiny`` writes, so that a change of the house proves harmless.

Not a test of its own: rounding differs between processors, so both sides are made on the same machine::

    git switch <before> && python tests/golden.py run /tmp/before
    git switch <after>  && python tests/golden.py run /tmp/after
    python tests/golden.py compare /tmp/before /tmp/after

Left out is what no result depends on: seconds, versions, locks, caches, run logs of W&B.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

VOLATILE = ("seconds", "versions", "seconds_per_step", "time", "made_by")
SKIPPED = (".made_by", "validated.json", "validation.json", "last.ckpt", "previous.ckpt", "metrics.jsonl")
WARM = (
    "import numpy as np; from {module} import VoxelwiseOneClassSVM;"
    "x = np.random.default_rng(0).normal(size=(6, 500, 3)).astype('float32');"
    "m = VoxelwiseOneClassSVM().fit(x); m.score_samples(x[0]) if hasattr(m, 'score_samples') else None"
)
MODULES = ("uad.detectors.latent.support.voxelwise", "uad.support.voxelwise")


def run(folder: Path) -> None:
    """Phantom, both generators, comparison, and one new patient, in an empty folder."""
    folder.mkdir(parents=True)
    # machine code that is compiled in the same process rounds otherwise than the same code read from numba's cache
    for module in MODULES:
        subprocess.run([sys.executable, "-c", WARM.format(module=module)], check=False, capture_output=True, cwd=folder)
    _command(folder, "synthpet.evaluate", "gan=semi3d")
    _command(folder, "uad.compare")
    cohort = folder / "outputs/phantom-tiny/cohort/sub-p001"
    t1w, pet = (next(cohort.glob(pattern)) for pattern in ("anat/*_T1w.nii.gz", "pet/*_desc-suvr_pet.nii.gz"))
    _command(folder, "uad.detect", "name=someone", f"t1w={t1w}", f"pet={pet}")


def _command(folder: Path, name: str, *options: str) -> None:
    subprocess.run([sys.executable, "-m", name, "study=tiny", "logger=local", *options], cwd=folder, check=True)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result below ``folder/outputs``, JSON without what changes from run to run."""
    outputs = folder / "outputs"
    found = {}
    for path in sorted(p for p in outputs.rglob("*") if p.is_file()):
        name = path.relative_to(outputs).as_posix()
        if path.name not in SKIPPED and "/cache/" not in name and "/wandb/" not in name:
            found[name] = hashlib.sha256(_content(path)).hexdigest()
    return found


def _content(path: Path) -> bytes:
    if path.suffix != ".json":
        return path.read_bytes()
    return json.dumps(_steady(json.loads(path.read_text("utf-8"))), sort_keys=True).encode()


def _steady(found: Any) -> Any:
    if isinstance(found, dict):
        kept = {k: v for k, v in found.items() if k not in VOLATILE}
        return {k: _steady(v) for k, v in kept.items() if k not in SKIPPED}
    return [_steady(x) for x in found] if isinstance(found, list) else found


def compare(before: Path, after: Path) -> int:
    """Print what differs; 0 where nothing does."""
    a, b = digests(before), digests(after)
    lines = [f"only before: {name}" for name in sorted(a.keys() - b.keys())]
    lines += [f"only after: {name}" for name in sorted(b.keys() - a.keys())]
    lines += [f"differs: {name}" for name in sorted(a.keys() & b.keys()) if a[name] != b[name]]
    print("\n".join(lines) or f"{len(a)} files are equal")
    return int(bool(lines) or not a)


if __name__ == "__main__":
    what, *folders = sys.argv[1:]
    paths = [Path(folder).resolve() for folder in folders]
    sys.exit(run(*paths) if what == "run" else compare(*paths))
