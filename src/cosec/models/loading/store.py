"""The cache folder of converted models, and creating folders so that no incomplete one is ever seen."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cosec.errors import ModelError, SettingsError
from cosec.files import share_like

_CACHE_VARIABLE = "COSEC_CACHE"
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MADE_BY_ANOTHER = {errno.ENOTEMPTY, errno.EEXIST}


def cache_root() -> Path:
    """Return the folder for files that can be made again: ``$COSEC_CACHE``, or the user's cache folder.

    Raises:
        SettingsError: If there is none, because the user has no home folder.
    """
    from platformdirs import user_cache_path

    chosen = os.environ.get(_CACHE_VARIABLE)
    try:
        folder = Path(chosen).expanduser() if chosen else user_cache_path("cosec")
    except RuntimeError:
        folder = Path("~")
    if folder.parts[:1] == ("~",):
        raise SettingsError(
            f"There is no home folder for the cache; name a folder with the environment variable {_CACHE_VARIABLE}."
        )
    return folder


@contextmanager
def writing_to_the_cache() -> Iterator[None]:
    """Name the remedy if the block may not write to the cache folder.

    Raises:
        ModelError: If the folder is read-only or belongs to somebody else.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        raise ModelError(
            f"Cannot write to the cache folder {cache_root()}: {error.strerror}. Name another folder with the "
            f"environment variable {_CACHE_VARIABLE}."
        ) from error


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Create a folder with all of its files at once.

    If the block raises, or the process dies, ``folder`` does not exist. If another process creates it first, that
    folder stays. What a process that was killed leaves is listed by `unfinished_folders`. The folder and its files have
    the permissions that the user's umask gives.

    Yields:
        An empty folder beside ``folder``, to be filled; it is renamed to ``folder`` at the end of the block.

    Raises:
        OSError: If the folder cannot be created or renamed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}-{secrets.token_hex(8)}"
    unfinished.mkdir()
    opened = os.open(unfinished, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield unfinished
        share_like(unfinished, unfinished.iterdir())
        try:
            unfinished.rename(folder)
        except OSError as error:
            if error.errno not in _MADE_BY_ANOTHER:
                raise
    finally:
        os.close(opened)
        shutil.rmtree(unfinished, ignore_errors=True)


def unfinished_folders(folder: Path) -> list[Path]:
    """List what `new_folder` left beside a folder in processes that were killed, and not what it fills now."""
    return [each for each in folder.parent.glob(f".{folder.name}-*") if _is_abandoned(each)]


def _is_abandoned(unfinished: Path) -> bool:
    """Whether the process that filled the folder has ended; its lock ends with it."""
    try:
        opened = os.open(unfinished, os.O_RDONLY)
    except OSError:  # finished in the meantime, or another user's
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(opened)
    return True
