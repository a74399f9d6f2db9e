"""A stage writes one folder once: it says whether it makes it or finds it up to date.

The manifest in the folder holds the configuration and the SHA-256 of every input that determine the result, and the
SHA-256 of every output. It is written last, so a folder without it is unfinished. Inputs are hashed before the work and
compared after it: a manifest never names an image that the result was not made from.
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
from synthpet.cohort.files import sha256
from synthpet.cohort.manifest import MANIFEST, Manifest, input_name
from synthpet.errors import DataError
from synthpet.runtime.claim import claim_below
from synthpet.runtime.console import say
from synthpet.runtime.lock import locked

LIBRARIES = ("numpy", "torch", "pytorch-lightning", "monai", "nibabel", "nilearn", "antspyx")


@dataclass(frozen=True)
class Stage:
    """One folder of results, what determines it, and how it is made.

    Args:
        name: what the user reads.
        folder: where the results lie.
        config: plain values that determine the result.
        inputs: files that determine the result; they are compared by content, wherever their folders lie.
        manifest: the manifest's name, for folders that two stages write into.
        quiet: say nothing, for one of many stages whose progress somebody else shows.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    inputs: tuple[Path, ...] | Mapping[str, Path] = ()
    manifest: str = MANIFEST
    quiet: bool = False

    def ensure(self, make: Callable[[], Iterable[Path]], read_as: Mapping[Path, str] | None = None) -> bool:
        """Call ``make`` unless the folder already holds the result of this configuration and these inputs.

        Args:
            make: does the work and returns the files that it wrote below ``folder``.
            read_as: SHA-256 of inputs that were read before, at that time.

        Returns:
            Whether something was made.

        Raises:
            BusyError: another process writes into the folder.
            DataError: an input was replaced meanwhile.
            UsageError: the folder holds results of other people.
        """
        if self._is_found():
            return False
        claim_below(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder, self.name):
            if self._is_found():  # made by another process meanwhile
                return False
            self._say(f"{self.name}: making {self.folder}")
            start = time.monotonic()
            self.forget()
            before = self._input_hashes(read_as or {})
            written = make()
            seconds = time.monotonic() - start
            self._check_unchanged(before)
            self._write_manifest(written, before, seconds)
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
        return self.is_written() and self.read_manifest().inputs == self._input_hashes()

    def is_written(self) -> bool:
        """As ``is_current``, but without looking whether an input has changed since."""
        try:
            manifest = self.read_manifest()
            return manifest.exists and manifest.has_sizes() and manifest.config == _plain(self.config)
        except (DataError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def check_outputs(self) -> None:
        """Hold every output to its SHA-256 in the manifest, before any is loaded.

        Raises:
            DataError: naming a file with other content than was written.
        """
        self.read_manifest().check()

    def read_manifest(self) -> Manifest:
        """What the folder says of the result.

        Raises:
            DataError: it is no manifest.
        """
        return Manifest.read(self.folder, self.manifest)

    def forget(self) -> None:
        """Take the manifest away, so that the result is made anew."""
        (self.folder / self.manifest).unlink(missing_ok=True)

    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every input as it is now, by the name that the manifest gives it."""
        return self._input_hashes()

    def _say(self, message: str) -> None:
        if not self.quiet:
            say(message)

    def _input_hashes(self, read_as: Mapping[Path, str] | None = None) -> dict[str, str]:
        """What is missing has no hash: whoever reads it says it better."""
        inputs = self.inputs
        named = inputs if isinstance(inputs, Mapping) else {input_name(path): path for path in inputs}
        known = read_as or {}
        return {name: known.get(path) or (sha256(path) if path.is_file() else "") for name, path in named.items()}

    def _check_unchanged(self, before: Mapping[str, str]) -> None:
        now = self._input_hashes()
        if changed := [name for name in before if now[name] != before[name]]:
            raise DataError(
                f"E_REPLACED {changed[0]}: {len(changed)} of {len(now)} inputs of {self.name} were replaced while it "
                "was made; expected files that do not change meanwhile. What was made is not used; run the same "
                "command again"
            )

    def _write_manifest(self, written: Iterable[Path], inputs: Mapping[str, str], seconds: float) -> None:
        outputs = {
            path.relative_to(self.folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in sorted(set(written))
        }
        Manifest(
            self.folder / self.manifest, self.name, _plain(self.config), inputs, outputs, versions(), round(seconds, 1)
        ).write()


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
