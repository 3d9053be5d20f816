"""Writing files so that no incomplete one is ever seen, saying why one cannot be read, and which texts one can hold.

Paths that users give may begin with ``~``.
"""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600
"""Permissions of a file that only the user can read."""

USUAL = 0o666
"""Permissions of new files, from which the user's umask takes some away."""


def share_like(folder: Path, files: Iterable[Path]) -> None:
    """Let all who may read a folder read some files; safetensors, for one, makes files that only the user can read.

    Args:
        folder: The folder whose permissions count.
        files: The files.
    """
    with suppress(OSError):  # some file systems have no permissions
        for file in files:
            file.chmod(folder.stat().st_mode & USUAL)


def from_home(path: str | Path) -> Path:
    """A path with a leading ``~`` replaced by the home folder; the path itself if there is no such user or folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def why_unreadable(error: Exception) -> str:
    """Say why a text file cannot be read, for a message that names the file itself.

    Args:
        error: What reading it raised.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def is_unicode(text: str) -> bool:
    """Whether a text can be encoded in UTF-8: whether it has no half of a surrogate pair, as JSON and arguments may."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_atomically(path: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Write a text file so that readers see either the old content or the new one, never a part of it.

    Several processes may write the same file.

    Args:
        path: The file; its folder is made if there is none.
        text: The content.
        mode: The file's permissions, before the umask.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
