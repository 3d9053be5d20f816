"""Files that a project leaves out of scans, by patterns as in ``.gitignore``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

from cosec.errors import SettingsError


class Exclusion:
    """Says which files and folders are left out of a scan.

    A pattern without a slash fits a name at any depth; with one, it fits a path from the folder on. A trailing slash
    means folders only, and ``!`` takes files back in.
    """

    def __init__(self, patterns: Sequence[str], folder: Path | None = None) -> None:
        """Hold patterns.

        Args:
            patterns: In the order of lines of a ``.gitignore``; the last one that fits decides.
            folder: The folder that they are about; None for the working folder. Nothing outside it is left out.

        Raises:
            SettingsError: If a pattern is none.
        """
        self._folder = Path(os.path.abspath(folder or Path()))  # noqa: PTH100 - links stay as they are named
        try:
            self._spec = GitIgnoreSpec.from_lines(patterns)
        except ValueError as error:
            raise SettingsError(f"exclude: {error}; write patterns as in .gitignore.") from None
        self._any = bool(patterns)

    def __call__(self, path: Path, *, is_folder: bool = False) -> bool:
        """Return whether a file or folder is left out."""
        if not self._any:
            return False
        absolute = Path(os.path.abspath(path))  # noqa: PTH100
        if not absolute.is_relative_to(self._folder) or absolute == self._folder:
            return False
        return self._spec.match_file(absolute.relative_to(self._folder).as_posix() + ("/" if is_folder else ""))
