"""A stage writes one folder once: it says whether it makes it or finds it up to date.

``run.json`` in the folder is the manifest: the configuration and the SHA-256 of every input that determine the
result, and the SHA-256 of every output. It is written last, so a folder without it is unfinished. Inputs are hashed
before the work and compared after it: a manifest never names an image that the result was not made from.
"""

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from synthpet import __version__
from synthpet.cohort.files import sha256, write_json
from synthpet.cohort.text import read_json_object
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
    manifest: str = "run.json"
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
            (self.folder / self.manifest).unlink(missing_ok=True)
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
        return self.is_written() and self._read_manifest()["inputs"] == self._input_hashes()

    def is_written(self) -> bool:
        """As ``is_current``, but without looking whether an input has changed since."""
        try:
            manifest = self._read_manifest()
            sizes = {name: found["bytes"] for name, found in manifest["outputs"].items()}
            whole = all((self.folder / name).stat().st_size == size for name, size in sizes.items())
            return whole and "inputs" in manifest and manifest["config"] == _plain(self.config)
        except (DataError, OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def check_outputs(self) -> None:
        """Hold every output to its SHA-256 in the manifest, before any is loaded.

        Raises:
            DataError: naming a file with other content than was written.
        """
        check_files(self.folder, self.manifest)

    def _read_manifest(self) -> dict[str, Any]:
        return read_manifest(self.folder, self.manifest)

    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every input as it is now, by the name that the manifest gives it."""
        return self._input_hashes()

    def _say(self, message: str) -> None:
        if not self.quiet:
            say(message)

    def _input_hashes(self, read_as: Mapping[Path, str] | None = None) -> dict[str, str]:
        """What is missing has no hash: whoever reads it says it better."""
        inputs = self.inputs
        named = inputs if isinstance(inputs, Mapping) else {_short_name(path): path for path in inputs}
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
        write_json(
            self.folder / self.manifest,
            {
                "stage": self.name,
                "config": _plain(self.config),
                "inputs": inputs,
                "outputs": outputs,
                "versions": versions(),
                "seconds": round(seconds, 1),
            },
        )


def read_manifest(folder: Path, name: str = "run.json") -> dict[str, Any]:
    """The manifest of a finished result; empty where there is none.

    Raises:
        DataError: it is no JSON object.
    """
    return read_json_object(folder / name) if (folder / name).exists() else {}


def check_files(folder: Path, manifest: str = "run.json", only: Sequence[str] = ()) -> None:
    """Hold the files of a finished result to the SHA-256 that they were written with; nothing where none is finished.

    Args:
        folder: of the result.
        manifest: its name.
        only: the files that are needed, which it has to list; the others may be away. None named: all that it lists.

    Raises:
        DataError: naming a file with other content, or a file that is not a manifest.
    """
    if not (folder / manifest).is_file():
        return
    listed = read_manifest(folder, manifest).get("outputs")
    if not isinstance(listed, dict) or not all(map(_is_listed, listed.items())) or set(only) - set(listed):
        raise DataError(f"E_MANIFEST {folder / manifest}: does not list what was written; expected a manifest of ours")
    for name in only or listed:
        path, about = folder / name, listed[name]
        if not path.is_file():
            raise DataError(f"E_MISSING {path}: no such file; expected one, as {manifest} lists it; run the step again")
        if (found := sha256(path)) != about.get("sha256"):
            raise DataError(
                f"E_CHANGED {path}: SHA-256 {found[:12]}; expected {str(about.get('sha256'))[:12]}, as it was written. "
                f"Get the file back, or delete {folder / manifest} to have it made anew"
            )


def _is_listed(item: tuple[str, Any]) -> bool:
    """Whether an entry of a manifest is one, of a file within its folder."""
    name, about = Path(item[0]), item[1]
    return isinstance(about, dict) and not name.is_absolute() and ".." not in name.parts


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
