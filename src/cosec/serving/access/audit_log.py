"""The audit log: a JSON line for each answered request, in a file that is rotated when it reaches its size limit.

Prompts and completions are left out unless they are asked for: code is the client's business.
"""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cosec.errors import SettingsError

_KEPT = 3
"""Rotated files that are kept, as ``FILE.1`` (the newest), ``FILE.2`` and so on."""

_logger = logging.getLogger("cosec.serving.audit_log")


class AuditLog:
    """An append-only JSONL file with a size limit.

    A failure to write never reaches the request that is logged. `problem` names it until a line is written again, and
    the process's log reports the first failure and the recovery.
    """

    def __init__(self, path: Path, *, max_bytes: int = 64 * 2**20, with_text: bool = False) -> None:
        """Open the file; only its owner can read it.

        Args:
            path: The file, created if it is missing and appended to if it is not.
            max_bytes: Size at which it is rotated.
            with_text: Whether prompts and completions are written too.

        Raises:
            SettingsError: If the file cannot be written.
        """
        self._path = path
        self._max_bytes = max_bytes
        self.with_text = with_text
        """Whether prompts and completions are written too."""
        self.problem: str | None = None
        """Why the last line could not be written or the file not be rotated; None if nothing is wrong."""
        self._lock = threading.Lock()
        try:
            self._file = _opened(path)
        except OSError as error:
            raise SettingsError(f"Cannot write the audit log {str(path)!r}: {error.strerror}.") from error

    def write(self, entry: dict[str, Any]) -> bool:
        """Append a line with the time of day; rotates the file first if the line does not fit.

        Args:
            entry: What the line says.

        Returns:
            Whether the line was written and the file is within its limit; `problem` says why not.
        """
        text = json.dumps({"time": round(time.time(), 3), **entry}, ensure_ascii=False) + "\n"
        line = text.encode(errors="backslashreplace")  # half a surrogate pair becomes its JSON escape
        with self._lock:
            problem = None
            try:
                size = os.fstat(self._file.fileno()).st_size
                if size and size + len(line) > self._max_bytes:
                    problem = self._rotated()
                _append(self._file, line)
            except (OSError, ValueError) as error:  # ValueError: the file is closed
                problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._report(problem)
        return problem is None

    def close(self) -> None:
        """Close the file; later lines are not written."""
        with self._lock:
            self._file.close()

    def _rotated(self) -> str | None:
        """Move on to a new file; on failure the old one is kept in use, and the reason is returned."""
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            file = _opened(new)
        except OSError as error:
            return error.strerror or str(error)
        try:
            for number in range(_KEPT, 0, -1):
                older = self._path.with_name(f"{self._path.name}.{number}")
                newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
                if newer.exists():
                    newer.replace(older)
            new.replace(self._path)
        except OSError as error:
            file.close()
            return error.strerror or str(error)
        with suppress(OSError):
            self._file.close()
        self._file = file
        return None

    def _report(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            _logger.error("cannot write the audit log %s: %s; requests are still answered", self._path, problem)
        elif problem is None and self.problem is not None:
            _logger.warning("the audit log %s is written again", self._path)
        self.problem = problem


def _opened(path: Path) -> io.FileIO:
    return io.FileIO(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def _append(file: io.FileIO, line: bytes) -> None:
    """Write a whole line, or none of it.

    Raises:
        OSError: If it does not fit on the disk.
    """
    size = os.fstat(file.fileno()).st_size
    try:
        written = 0
        while written < len(line):
            written += file.write(line[written:]) or 0
    except OSError:
        with suppress(OSError):
            file.truncate(size)
        raise
