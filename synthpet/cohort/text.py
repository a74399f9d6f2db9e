"""Text files as hospitals write them: several encodings, said when it is not UTF-8."""

import codecs
import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

from synthpet.errors import DataError

MAX_BYTES = 100_000_000  # of a table or a sidecar
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file in UTF-8 (with or without byte-order mark), UTF-16 or Windows-1252, and a note.

    Returns:
        The text, and what should be said of its encoding (empty for UTF-8).

    Raises:
        DataError: the file cannot be opened, or its bytes are no text.
    """
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:  # a pipe would wait for ever
            raise DataError(f"E_TEXT {path}: no file, or {found.st_size:,} bytes; expected text, {MAX_BYTES:,} at most")
        content = path.read_bytes()
        if content.startswith(UTF16):
            return content.decode("utf-16"), f"{path.name} is UTF-16; expected UTF-8, read all the same"
        if b"\0" in content:
            raise DataError(f"E_TEXT {path}: holds zero bytes; expected a text file in UTF-8")
        try:
            return content.decode("utf-8-sig"), ""
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
            return text, f"{path.name} is not UTF-8, read as Windows-1252; save it as UTF-8 if letters look wrong"
    except OSError as error:
        raise DataError(f"E_TEXT {path}: cannot be opened ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"E_TEXT {path}: is neither UTF-8 nor UTF-16 ({error.reason}); save it as UTF-8") from error


def read_table(path: Path) -> tuple[list[str], list[list[str]], str]:
    """A table with tabs, in any encoding of ``read_text``; blank lines and empty cells beyond the header are dropped.

    Returns:
        The header, the rows (each as long as the header), and what should be said of the encoding.

    Raises:
        DataError: no text, empty, other separators, a quote that is not closed, or rows of another length.
    """
    text, note = read_text(path)
    try:
        lines = [
            line for line in csv.reader(io.StringIO(text, newline=""), delimiter="\t") if any(map(str.strip, line))
        ]
    except csv.Error as error:
        raise DataError(f"E_TSV {path}: {error}; expected a table with tabs; save it as TSV") from error
    if not lines:
        raise DataError(f"E_TSV {path}: empty; expected a header line with participant_id")
    header, *rows = ([cell.strip() for cell in line] for line in lines)
    separator = next((word for sign, word in ((";", "semicolons"), (",", "commas")) if sign in header[0]), None)
    if separator and len(header) == 1:
        raise DataError(f"E_TSV {path}: columns are separated by {separator}; expected tabs. Save it as TSV")
    problems, whole = [], []
    for number, row in enumerate(rows, start=2):
        while len(row) > len(header) and not row[-1]:
            row.pop()
        if len(row) > len(header):
            problems.append(f"row {number} has {len(row)} cells, the header {len(header)}")
        if any("\n" in cell for cell in row):
            problems.append(f"row {number} has a quote that is not closed")
        whole.append(row + [""] * (len(header) - len(row)))  # editors drop tabs at the end of a line
    if problems:
        raise DataError(f"E_TSV {path}:\n  " + "\n  ".join(problems))
    return header, whole, note


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object, in any encoding of ``read_text``.

    Raises:
        DataError: no text, no JSON, or not an object.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise DataError(f"E_JSON {path}: a {type(content).__name__}; expected an object, {{...}}")
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file, in any encoding of ``read_text``.

    Raises:
        DataError: no text, or no JSON.
    """
    try:
        return json.loads(read_text(path)[0])
    except json.JSONDecodeError as error:
        raise DataError(f"E_JSON {path}: line {error.lineno}: {error.msg}; expected JSON") from error
    except (RecursionError, ValueError) as error:  # a number of thousands of digits
        raise DataError(f"E_JSON {path}: nested too deeply, or a number too long; expected JSON") from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file to which JSON objects are appended, one a line, up to the last whole one.

    A power cut or a full disk can tear the line that was being written; what follows it is worth nothing either.

    Raises:
        DataError: the file cannot be read.
    """
    if not path.is_file():
        raise DataError(f"E_TEXT {path}: no file; expected rows of JSON")
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"E_TEXT {path}: cannot be opened ({error.strerror}); expected rows of JSON") from error
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(row, dict):
            break
        rows.append(row)
    return rows
