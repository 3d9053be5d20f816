"""The audit log: a JSON line for each answered request, in a file that grows to a limit and is then set aside.

Prompts and completions are left out unless asked for: code is the client's business.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from cosec.errors import SettingsError

_KEPT = 3
"""Full files that are kept beside the current one, as ``FILE.1`` (the newest) and so on."""


class AuditLog:
    """An append-only JSONL file with a limit on its size."""

    def __init__(self, path: Path, *, max_bytes: int = 64 * 2**20, with_text: bool = False) -> None:
        """Open the file, which only its owner can read.

        Raises:
            SettingsError: If it cannot be written.
        """
        self._path = path
        self._max_bytes = max_bytes
        self.with_text = with_text
        """Whether prompts and completions are written too."""
        self._lock = threading.Lock()
        try:
            self._file = self._open()
        except OSError as error:
            raise SettingsError(f"Cannot write the audit log {str(path)!r}: {error.strerror}.") from error

    def write(self, entry: dict[str, Any]) -> None:
        """Append a line with the time of day; sets the file aside first where the line would not fit."""
        line = (json.dumps({"time": round(time.time(), 3), **entry}, ensure_ascii=False) + "\n").encode()
        with self._lock:
            size = os.fstat(self._file).st_size
            if size and size + len(line) > self._max_bytes:
                self._set_aside()
            os.write(self._file, line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _set_aside(self) -> None:
        os.close(self._file)
        for number in range(_KEPT, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path if number == 1 else self._path.with_name(f"{self._path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        self._file = self._open()
