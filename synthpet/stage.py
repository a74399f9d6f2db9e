"""A stage writes one folder once: it says whether it makes it or finds it up to date.

``run.json`` in the folder is the manifest: the configuration and the SHA-256 of every input that determine the
result, and the SHA-256 of every output. It is written last, so a folder without it is unfinished.
"""

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from synthpet import __version__
from synthpet.cohort.files import sha256, write_json
from synthpet.console import say
from synthpet.lock import locked

LIBRARIES = ("numpy", "torch", "pytorch-lightning", "monai", "nibabel", "nilearn", "antspyx")


@dataclass(frozen=True)
class Stage:
    """One folder of results, what determines it, and how it is made.

    Args:
        name: what the user reads.
        folder: where the results lie.
        config: plain values that determine the result.
        inputs: files that determine the result.
        manifest: the manifest's name, for folders that two stages write into.
        quiet: say nothing, for one of many stages whose progress somebody else shows.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    inputs: tuple[Path, ...] = ()
    manifest: str = "run.json"
    quiet: bool = False

    def ensure(self, make: Callable[[], Iterable[Path]]) -> bool:
        """Call ``make`` unless the folder already holds the result of this configuration and these inputs.

        Args:
            make: does the work and returns the files that it wrote below ``folder``.

        Returns:
            Whether something was made.

        Raises:
            BusyError: another process writes into the folder.
        """
        if self._is_found():
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder, self.name):
            if self._is_found():  # made by another process meanwhile
                return False
            self._say(f"{self.name}: making {self.folder}")
            start = time.monotonic()
            (self.folder / self.manifest).unlink(missing_ok=True)
            written = make()
            seconds = time.monotonic() - start
            self._write_manifest(written, seconds)
        self._say(f"{self.name}: done in {seconds:.0f} s")
        return True

    def _is_found(self) -> bool:
        """Whether the result is there, said if so."""
        found = self.is_current()
        if found:
            self._say(f"{self.name}: up to date ({self.folder})")
        return found

    def is_current(self) -> bool:
        """Whether the manifest matches the configuration, the inputs and the outputs' sizes."""
        if not self.is_written():
            return False
        return json.loads((self.folder / self.manifest).read_text())["inputs"] == self._input_hashes()

    def is_written(self) -> bool:
        """As ``is_current``, but nobody looks whether an input has changed since."""
        try:
            manifest = json.loads((self.folder / self.manifest).read_text())
            sizes = {name: found["bytes"] for name, found in manifest["outputs"].items()}
            whole = all((self.folder / name).stat().st_size == size for name, size in sizes.items())
            return whole and "inputs" in manifest and manifest["config"] == _plain(self.config)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def _say(self, message: str) -> None:
        if not self.quiet:
            say(message)

    def _input_hashes(self) -> dict[str, str]:
        return {_short_name(path): sha256(path) for path in self.inputs}

    def _write_manifest(self, written: Iterable[Path], seconds: float) -> None:
        outputs = {
            path.relative_to(self.folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in sorted(set(written))
        }
        write_json(
            self.folder / self.manifest,
            {
                "stage": self.name,
                "config": _plain(self.config),
                "inputs": self._input_hashes(),
                "outputs": outputs,
                "versions": versions(),
                "seconds": round(seconds, 1),
            },
        )


def _short_name(path: Path) -> str:
    """A path's last three parts: tells files apart without writing a machine's folders into a manifest."""
    return "/".join(Path(path).parts[-3:])


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(config, default=str))


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that decide results."""
    found = {"synthpet": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
