"""The manifest of a finished stage: what its result was made from, and what it wrote.

It lies beside the result and is written last, so a folder without it is unfinished. Nobody else reads or spells it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.text import read_json_object
from synthpet.errors import DataError

MANIFEST = "run.json"
# of a second stage that writes into the folder
OF_QUALITY, OF_QC, OF_CALIBRATION = "run-quality.json", "run-qc.json", "run-calibration.json"
ANY = "run*.json"
MAPPINGS = ("config", "inputs", "outputs", "versions")


@dataclass(frozen=True)
class Manifest:
    """One manifest; ``read`` finds it, and what it does not say is empty.

    Args:
        path: where it lies.
        stage: what made the result.
        config: plain values that determined it.
        inputs: name (the last three parts of the path, or a word) to SHA-256 of every file that determined it.
        outputs: file, below the folder, to its ``bytes`` and ``sha256``.
        versions: of the libraries that decide results.
        seconds: that it took.
        exists: whether there is one.
    """

    path: Path
    stage: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    exists: bool = True

    @classmethod
    def read(cls, folder: Path, name: str = MANIFEST) -> "Manifest":
        """The manifest in a folder; ``exists`` is False where there is none.

        Raises:
            DataError: it is no JSON object, or a part of it is not what it should be.
        """
        path = Path(folder) / name
        if not path.exists():
            return cls(path, exists=False)
        content = read_json_object(path)
        parts = {key: content.get(key, {}) for key in MAPPINGS}
        seconds = content.get("seconds", 0.0)
        if not all(isinstance(part, dict) for part in parts.values()) or not isinstance(seconds, int | float):
            raise DataError(f"E_MANIFEST {path}: no manifest of ours; run the step again")
        return cls(path, str(content.get("stage", "")), **parts, seconds=float(seconds))

    def content(self) -> dict[str, Any]:
        """As it is written."""
        return {"stage": self.stage, **{key: getattr(self, key) for key in MAPPINGS}, "seconds": self.seconds}

    def told(self) -> dict[str, Any]:
        """As it is written, without the time, which no two runs share; empty where there is none."""
        return {key: value for key, value in self.content().items() if key != "seconds"} if self.exists else {}

    def write(self) -> Path:
        """Write it, whole or not at all."""
        return write_json(self.path, self.content())

    def files(self) -> Iterator[Path]:
        """The files that it lists; what would lie outside of its folder is passed over."""
        folder = self.path.parent.resolve()
        found = (self.path.parent / name for name in self.outputs)
        return (path for path in found if path.resolve().is_relative_to(folder))

    def has_sizes(self) -> bool:
        """Whether every file that it lists is there, as long as it was written; a quick look.

        Raises:
            OSError: a file is not there.
        """
        return all((self.path.parent / name).stat().st_size == about["bytes"] for name, about in self.outputs.items())

    def hashes(self) -> dict[str, str]:
        """SHA-256 of each file that it lists."""
        return {name: about["sha256"] for name, about in self.outputs.items()}

    def input_at(self, end: Path) -> str:
        """SHA-256 of the input whose name ends so, such as ``fold-0/generator.safetensors``; empty: none."""
        return next(
            (str(digest) for name, digest in self.inputs.items() if f"/{name}".endswith(f"/{end.as_posix()}")), ""
        )

    def check(self, only: Sequence[str] = ()) -> None:
        """Hold files to the SHA-256 that they were written with; nothing where there is no manifest.

        Args:
            only: the files that are needed, which it has to list; the others may be away. None: all that it lists.

        Raises:
            DataError: naming a file with other content, or a file that is not a manifest.
        """
        if not self.exists:
            return
        if not all(map(_is_listed, self.outputs.items())) or set(only) - set(self.outputs):
            raise DataError(f"E_MANIFEST {self.path}: does not list what was written; expected a manifest of ours")
        for name in only or self.outputs:
            path, wanted = self.path.parent / name, str(self.outputs[name].get("sha256"))
            if not path.is_file():
                raise DataError(
                    f"E_MISSING {path}: no such file; expected one, as {self.path.name} lists it; run the step again"
                )
            if (found := sha256(path)) != wanted:
                raise DataError(
                    f"E_CHANGED {path}: SHA-256 {found[:12]}; expected {wanted[:12]}, as it was written. "
                    f"Get the file back, or delete {self.path} to have it made anew"
                )


def input_name(path: Path) -> str:
    """A path's last three parts: tells files apart without writing a machine's folders into a manifest."""
    return "/".join(Path(path).parts[-3:])


def _is_listed(item: tuple[str, Any]) -> bool:
    """Whether an entry of a manifest is one, of a file within its folder."""
    name, about = Path(item[0]), item[1]
    return isinstance(about, dict) and not name.is_absolute() and ".." not in name.parts
