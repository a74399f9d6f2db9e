"""Text files as hospitals write them: several encodings, said when it is not UTF-8."""

import codecs
import json
from pathlib import Path
from typing import Any

from synthpet.errors import DataError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file in UTF-8 (with or without byte-order mark), UTF-16 or Windows-1252, and a note.

    Returns:
        The text, and what should be said of its encoding (empty for UTF-8).

    Raises:
        DataError: the file cannot be opened, or its bytes are no text.
    """
    try:
        content = Path(path).read_bytes()
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


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object, in any encoding of ``read_text``.

    Raises:
        DataError: no text, no JSON, or not an object.
    """
    try:
        content = json.loads(read_text(path)[0])
    except json.JSONDecodeError as error:
        raise DataError(f"E_JSON {path}: line {error.lineno}: {error.msg}; expected JSON") from error
    except RecursionError as error:
        raise DataError(f"E_JSON {path}: nested too deeply; expected JSON") from error
    if not isinstance(content, dict):
        raise DataError(f"E_JSON {path}: a {type(content).__name__}; expected an object, {{...}}")
    return content
