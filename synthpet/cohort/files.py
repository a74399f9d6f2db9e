"""Files that are whole or not there: temporary name, fsync, rename; and their SHA-256."""

import csv
import hashlib
import io
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from synthpet.cohort.text import read_table
from synthpet.errors import DataError, DiskError, one_line, printable

SETTLED_S = 2.0  # the coarsest clock of a file system in use (FAT)
_DIGESTS: dict[Path, tuple[tuple[int, ...], str]] = {}  # what ``sha256`` has read in this process


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file under its final name only once all its bytes are on the disk.

    Raises:
        DiskError: the disk refused; the file that was there before is untouched.
    """
    return write_stream(path, len(content), lambda stream: stream.write(content))


def write_stream(path: Path, n_bytes: int, write: Callable[[IO[bytes]], object]) -> Path:
    """As ``write_bytes`` for what does not fit into memory: ``write`` is given the open file, about n_bytes long."""
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".partial-", delete=False) as stream:
            temporary = Path(stream.name)
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise _refused(path, n_bytes, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return path


def write_array(path: Path, array: NDArray) -> Path:
    """Write an ``.npy`` file, whole or not at all; the array may be larger than memory: it goes part by part."""

    def write(stream: IO[bytes]) -> None:
        header = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(array[:0]))
        np.lib.format.write_array_header_1_0(stream, header | {"shape": array.shape})
        for part in array:
            stream.write(np.ascontiguousarray(part).data)

    return write_stream(path, array.nbytes, write)


def new_array(path: Path, shape: tuple[int, ...], kind: DTypeLike) -> NDArray:
    """A memory-mapped ``.npy`` file of zeros; its space is taken at once, since a write to a full disk would kill us.

    Raises:
        DiskError: the disk has not as much; nothing is left there.
    """
    needed = math.prod(shape) * np.dtype(kind).itemsize
    try:
        array = np.lib.format.open_memmap(path, "w+", kind, shape)
        with path.open("rb+") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _refused(path, needed, error) from error
    return array


def _refused(path: Path, n_bytes: int, error: OSError) -> DiskError:
    free = shutil.disk_usage(_existing_parent(path)).free
    return DiskError(
        f"{path} could not be written ({error.strerror or error}): {n_bytes:,} bytes needed, {free:,} free"
    )


def _existing_parent(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text, whole or not at all; signs that a terminal would obey are written out."""
    return write_bytes(path, printable(text).encode())


def write_json(path: Path, content: Any) -> Path:
    """Write JSON with stable formatting; numbers that are not finite become null."""
    return write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """What ``write_json`` writes."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {str(key): _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if hasattr(content, "item") and getattr(content, "ndim", 0) == 0:
        content = content.item()
    if isinstance(content, float) and (content != content or content in (float("inf"), float("-inf"))):
        return None
    return str(content) if isinstance(content, Path) else content


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> Path:
    """Write a BIDS table: tab-separated, ``n/a`` for what is missing, ``true``/``false``."""
    columns = list(columns or rows[0])
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return write_text(path, stream.getvalue())


def _cell(value: Any) -> str:
    if value is None or value != value or value == "":
        return "n/a"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else one_line(str(value))


def read_tsv(path: Path) -> list[dict[str, str]]:
    """Read a BIDS table as one dictionary a row; a byte-order mark, CRLF and blank lines are accepted.

    Raises:
        DataError: no text, no tabs, or rows that are longer or shorter than the header.
    """
    header, rows, _ = read_table(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal text; a file that has not changed is read once in a process.

    Unchanged: same device, inode, size and times of change. A file that was changed less than ``SETTLED_S`` ago is not
    remembered, since the clock of a disk can be too coarse to tell its next change.

    Raises:
        DataError: no file, but a pipe, a device or a folder.
    """
    path = Path(path).absolute()
    if path.exists() and not path.is_file():  # a pipe would wait for ever, a device never end
        raise DataError(f"E_NOT_FILE {path}: not a file; expected one; check where it comes from")
    with path.open("rb") as stream:
        found = os.fstat(stream.fileno())
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = _DIGESTS.get(path)
        if known is not None and known[0] == state:
            return known[1]
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if time.time() - max(found.st_mtime, found.st_ctime) > SETTLED_S:
            _DIGESTS[path] = (state, digest)
    return digest
