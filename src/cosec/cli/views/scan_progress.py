"""A line about the progress of a scan at the bottom of the terminal."""

from __future__ import annotations

import sys
import time

from cosec.scanning import Progress

_CLEAR = "\r\x1b[2K"
_SECONDS = 0.2


class ScanProgress:
    """Shows files done and the time left on the standard error; shows nothing if that is no terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._started = self._shown_at = time.monotonic()
        self._shown = False

    def update(self, progress: Progress) -> None:
        """Show the numbers, a few times a second at most."""
        now = time.monotonic()
        if not self._on or (now - self._shown_at < _SECONDS and not progress.checker):
            return
        self._shown_at, self._shown = now, True
        self._write(_CLEAR + progress_line(progress, now - self._started))

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def progress_line(progress: Progress, seconds: float) -> str:
    """Describe progress after ``seconds``; the time left is estimated from the sizes of files."""
    line = f"{progress.done_files}/{progress.files} files"
    if progress.checker:
        return f"{line}, {progress.checker} runs"
    if not 0 < progress.done_size < progress.size:
        return line
    left = round(seconds * (progress.size - progress.done_size) / progress.done_size)
    return f"{line}, {left // 60}:{left % 60:02d} left"
