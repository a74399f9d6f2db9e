"""What images say of themselves: simulated (nobody's), synthetic (computed, not measured); carried on."""

from pathlib import Path

from synthpet.cohort.names import sidecar_path
from synthpet.cohort.stream import read_content
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError

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
        return bytes(read_content(image, len, head_only=True)[:HEADER_BYTES])
    except DataError:
        return b""


def _read(path: Path) -> dict:
    """A JSON object; empty where there is none, or none that can be read: what is wrong with it is said elsewhere."""
    try:
        return read_json_object(path)
    except DataError:
        return {}
