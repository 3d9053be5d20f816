"""Text files with one JSON object a line, plain or compressed with gzip."""

import gzip
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from cosec.errors import DataError
from cosec.files import is_unicode, why_unreadable

_GZIP = b"\x1f\x8b"
"""First bytes of a file that gzip compressed."""


def is_jsonl(path: Path) -> bool:
    """Whether a file's name says that it has one JSON object a line: ``.jsonl`` or ``.jsonl.gz``."""
    return path.name.endswith((".jsonl", ".jsonl.gz"))


def jsonl_files(folder: Path) -> list[Path]:
    """The files in a folder that have one JSON object a line, sorted."""
    return sorted(path for path in folder.glob("*.jsonl*") if is_jsonl(path))


def read_lines(file: Path) -> tuple[bytes, list[str]]:
    """Read a file; a byte order mark at its beginning is left out, and what gzip compressed is decompressed.

    Args:
        file: The file.

    Returns:
        The file's bytes as they are stored, for its hash, and its lines.

    Raises:
        DataError: If the file cannot be read, is damaged or is not UTF-8.
    """
    try:
        content = file.read_bytes()
        text = gzip.decompress(content) if content.startswith(_GZIP) else content
        return content, text.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"Cannot read {file}: it is not UTF-8 ({error.reason}); save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot read {file}: {why_unreadable(error)}.") from error


def parse_object(line: str, origin: str) -> dict[str, Any]:
    """Parse one line of a file.

    Args:
        line: The line.
        origin: Names the line in a message.

    Raises:
        DataError: If it is not a JSON object.
    """
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{origin} is not a JSON object, of which there must be one a line: {error.msg}, column {error.colno}."
        ) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise DataError(f"{origin} cannot be read: {error}; correct or remove the line.") from error
    if not isinstance(record, dict):
        raise DataError(f"{origin} is not a JSON object, of which there must be one a line.")
    if "\\u" in line and not is_unicode(json.dumps(record, ensure_ascii=False)):
        raise DataError(f"{origin} has half of a surrogate pair, which is no text; correct or remove the line.")
    return record


def draw(key: str, seed: int) -> float:
    """Return a number from 0 up to 1 that follows from a key, which may hold a name that is not UTF-8, and a seed."""
    digest = hashlib.sha256(f"{seed}:{key}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def add_to_digest(digest: "hashlib._Hash", name: str, content: bytes) -> None:
    """Add a file's name, which need not be UTF-8, and its contents to a hash over several files."""
    digest.update(f"{name}\0".encode(errors="surrogateescape") + content)
