"""The cache folder of converted models, and creating folders so that no incomplete one is ever seen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CACHE_VARIABLE = "COSEC_CACHE"


def cache_root() -> Path:
    """Return the folder for files that can be made again: ``$COSEC_CACHE``, or the user's cache folder."""
    chosen = os.environ.get(_CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("cosec")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Create a folder with all of its files at once.

    If the block raises, or the process dies, ``folder`` does not exist. If another process creates it first, that
    folder stays.

    Yields:
        An empty folder beside ``folder``, to be filled; it is renamed to ``folder`` at the end of the block.

    Raises:
        OSError: If the folder cannot be created or renamed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield unfinished
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
