"""The bytes of an image file, read to the end: gzip's own checksum verified, no more of them than the header says.

nibabel stops reading a ``.nii.gz`` before the checksum: about 75 % of single-byte corruptions load with wrong voxels.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self

from synthpet.cohort.formats import DICOM_FOLDER, is_nifti, other_format
from synthpet.errors import DataError

HEAD_BYTES = 4096  # of the content: the header and the start of its extensions
MAX_BYTES = 4_000_000_000  # of one uncompressed image, or of a frame
MOST_BYTES = 100_000_000_000  # of an image whose frames are read one after the other
BOMB_BYTES, BOMB_RATIO = 256_000_000, 200  # larger and better compressed than any image of a person
STEP_BYTES = 65536  # inflated in one go: what fits in a processor's cache is faster
GZIP = b"\x1f\x8b"
FETCH = "fetch the data first (git lfs pull, git annex get, datalad get)"


def read_content(path: Path, size_of: Callable[[bytes], int], *, head_only: bool = False) -> bytes | bytearray:
    """The uncompressed bytes of a ``.nii`` or ``.nii.gz`` file.

    Args:
        path: the file.
        size_of: from the first bytes of the content to the number of bytes that there have to be.
        head_only: the first bytes only, unchecked but for what they are.

    Raises:
        DataError: no file, no image, cut, damaged, longer than its header says, or larger than an image can be.
    """
    raw = _read(path, HEAD_BYTES if head_only else None)
    _check_kind(path, raw)
    head = _head(path, raw)
    needed = size_of(head)
    if head_only:
        return head
    if needed > MAX_BYTES or (needed > BOMB_BYTES and needed > BOMB_RATIO * len(raw)):
        raise DataError(
            f"E_TOO_BIG {path}: {needed:,} bytes by its header, in a file of {len(raw):,}; expected at most "
            f"{MAX_BYTES:,}, and {BOMB_RATIO} times the file; check where it comes from, or convert it again"
        )
    content = _inflate(path, raw, needed) if is_compressed(path) else raw
    if len(content) < needed:
        raise DataError(
            f"E_TRUNCATED {path}: {len(content):,} bytes; expected {needed:,}, which its header promises; copy it again"
        )
    if len(content) > needed:
        raise DataError(
            f"E_SIZE {path}: more bytes than the {needed:,} that its header says; expected an image and nothing else; "
            "convert it again"
        )
    return content


class LargeContent:
    """The uncompressed bytes of a file that is too large to hold, from its beginning on; nothing of it is kept."""

    def __init__(self, path: Path, needed: int) -> None:
        """Of a file of which ``needed`` bytes are promised by its header.

        Raises:
            DataError: more than an image can have, or than the file can hold.
        """
        self.path, self.needed = path, needed
        on_disk = path.stat().st_size
        if needed > MOST_BYTES or needed > BOMB_RATIO * on_disk:
            raise DataError(
                f"E_TOO_BIG {path}: {needed:,} bytes by its header, in a file of {on_disk:,}; expected at most "
                f"{MOST_BYTES:,}, and {BOMB_RATIO} times the file; check where it comes from, or convert it again"
            )

    def __enter__(self) -> Self:
        """Open the file."""
        opened = gzip.open(self.path) if is_compressed(self.path) else self.path.open("rb")
        self.stream: BinaryIO = opened  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.stream.close()

    def take(self, n: int) -> bytearray:
        """The next ``n`` bytes.

        Raises:
            DataError: there are fewer, or they are damaged.
        """
        content, filled = bytearray(n), 0
        view = memoryview(content)
        while filled < n:
            filled += self._some(view[filled : filled + STEP_BYTES])
        return content

    def skip(self, n: int) -> None:
        """Leave out the next ``n`` bytes; errors as of ``take``."""
        room = memoryview(bytearray(STEP_BYTES))
        while n > 0:
            n -= self._some(room[:n])

    def check(self) -> None:
        """Read all to the end, where gzip has its checksum.

        Raises:
            DataError: cut, damaged, or longer than the header says.
        """
        self.skip(self.needed)
        if self._into(memoryview(bytearray(1))):
            raise DataError(
                f"E_SIZE {self.path}: more bytes than the {self.needed:,} that its header says; expected an image and "
                "nothing else; convert it again"
            )

    def _some(self, room: memoryview) -> int:
        if found := self._into(room):
            return found
        raise DataError(
            f"E_TRUNCATED {self.path}: it ends too early; expected {self.needed:,} bytes, which its header promises; "
            "copy it again"
        )

    def _into(self, room: memoryview) -> int:
        try:
            return self.stream.readinto(room)  # type: ignore[attr-defined]
        except (zlib.error, EOFError, OSError) as error:
            raise _damaged(self.path, error) from error


def _read(path: Path, most: int | None) -> bytes:
    """The file as it lies on the disk, whole or its first bytes."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise DataError(f"E_NOT_FILE {path}: a folder; expected a NIfTI image; name the image. {DICOM_FOLDER}")
        if not stat.S_ISREG(found.st_mode):  # a pipe would wait for ever
            raise DataError(f"E_NOT_FILE {path}: not a file; expected a NIfTI image; name the image itself")
        if most is None and found.st_size > MAX_BYTES:
            raise DataError(f"E_TOO_BIG {path}: {found.st_size:,} bytes; expected at most {MAX_BYTES:,}; crop it")
        with path.open("rb") as stream:
            return stream.read() if most is None else stream.read(most)
    except FileNotFoundError:
        if path.is_symlink():
            raise DataError(f"E_POINTER {path}: a link to nothing; expected an image; {FETCH}") from None
        raise DataError(f"E_MISSING {path}: no such file; expected an image; look at the path") from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise DataError(
            f"E_UNREADABLE {path}: {why}; expected a file that can be read; check its permissions"
        ) from error


def _check_kind(path: Path, raw: bytes) -> None:
    """Name what is no image for what it is."""
    if not raw:
        raise DataError(f"E_EMPTY {path}: the file has no bytes; expected an image; copy it again")
    if raw.startswith((b"version https://git-lfs", b"/annex/")) or (len(raw) < 1024 and b"/annex/objects/" in raw):
        raise DataError(f"E_POINTER {path}: a git-lfs or git-annex pointer; expected the image itself; {FETCH}")
    if raw.lstrip()[:1] == b"<":
        raise DataError(f"E_NOT_NIFTI {path}: a web page under an image's name; expected NIfTI; download it again")
    if what := other_format(path, raw):
        raise DataError(f"E_NOT_NIFTI {path}: {what}; expected a NIfTI image (.nii or .nii.gz)")
    if is_compressed(path) and not raw.startswith(GZIP):
        what = "a plain NIfTI; rename it to .nii" if is_nifti(raw) else "not compressed; look at what it is"
        raise DataError(f"E_NOT_GZIP {path}: expected gzip, as .gz says; found {what}")
    if not is_compressed(path) and raw.startswith(GZIP):
        raise DataError(f"E_NOT_NIFTI {path}: compressed; expected a plain NIfTI; rename it to .nii.gz")


def is_compressed(path: Path) -> bool:
    """Whether the name says gzip, in letters of any case."""
    return path.name.lower().endswith(".gz")


def _head(path: Path, raw: bytes) -> bytes:
    if not is_compressed(path):
        return raw[:HEAD_BYTES]
    try:
        return zlib.decompressobj(31).decompress(raw[: 16 * HEAD_BYTES], HEAD_BYTES)
    except zlib.error as error:
        raise _damaged(path, error) from error


def _inflate(path: Path, raw: bytes, needed: int) -> bytearray:
    """Every member of a gzip file; at most one byte more than is needed, so that nothing can fill the memory."""
    content = bytearray(needed + 1)
    filled = start = 0
    while start < len(raw) and filled <= needed:
        inflater = zlib.decompressobj(31)
        while not inflater.eof and filled <= needed:
            piece = inflater.unconsumed_tail or raw[start : start + STEP_BYTES]
            if not piece:
                raise _damaged(path, "it ends too early")
            start += 0 if inflater.unconsumed_tail else len(piece)
            try:
                found = inflater.decompress(piece, needed + 1 - filled)
            except zlib.error as error:
                raise _damaged(path, error) from error
            content[filled : filled + len(found)] = found
            filled += len(found)
        start -= len(inflater.unused_data)
        while start < len(raw) and raw[start] == 0:  # padding
            start += 1
        if inflater.eof and start < len(raw) and not raw.startswith(GZIP, start):
            raise _damaged(path, "other bytes follow its end")
    del content[filled:]
    return content


def _damaged(path: Path, why: object) -> DataError:
    return DataError(
        f"E_TRUNCATED {path}: the compressed stream is cut or damaged ({why}); expected a whole file; copy it again"
    )
