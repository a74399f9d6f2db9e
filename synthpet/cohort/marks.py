"""What images say of themselves: simulated (nobody's), synthetic (computed, not measured); carried on."""

import gzip
import json
import zlib
from pathlib import Path

from synthpet.cohort.names import sidecar_path

HEADER_BYTES = 540  # of NIfTI-2, the longer one


def is_simulated_dataset(root: Path) -> bool:
    """Whether ``dataset_description.json`` of a folder says that its images are simulated."""
    return bool(_read(root / "dataset_description.json").get("Simulated"))


def is_simulated_image(image: Path) -> bool:
    """Whether the sidecar of an image says that it is simulated."""
    return bool(_read(sidecar_path(image)).get("Simulated"))


def is_synthetic_image(image: Path) -> bool:
    """Whether the name, the sidecar or the header of an image says that it was computed, not measured."""
    return (
        "desc-synthetic" in image.name
        or bool(_read(sidecar_path(image)).get("Synthetic"))
        or b"SYNTHETIC" in _header(image).upper()
    )


def _header(image: Path) -> bytes:
    """The first bytes, with the header's free text; empty where there are none: reading the image will say why."""
    try:
        with gzip.open(image) if image.name.endswith(".gz") else image.open("rb") as stream:
            return stream.read(HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return b""


def _read(path: Path) -> dict:
    """A JSON object; empty where there is none, or none that can be read: what is wrong with it is said elsewhere."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
