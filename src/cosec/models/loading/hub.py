"""Models from the Hugging Face hub: only data files are downloaded, never pickles or code."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from cosec.errors import ModelNotFound

HUB_NAME = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
"""``organisation/model``, optionally followed by ``@revision`` for a branch, tag or commit."""

_DATA_FILES = ["*.safetensors", "*.json", "*.txt", "*.jinja", "tokenizer.model"]


def download(name: str) -> Path:
    """Download a model's configuration, safetensors weights and tokenizer, unless they are in the hub's cache.

    Args:
        name: A hub id, optionally with a revision; ``HUB_NAME`` matches it.

    Returns:
        The folder of the snapshot.

    Raises:
        ModelNotFound: If the hub has no such model for this user, or cannot be reached and nothing is cached.
        OSError: If the disk is full.
    """
    if HUB_NAME.fullmatch(name) is None:
        raise ModelNotFound(f"{name!r} is not a hub id (organisation/model).")
    try:
        return _snapshot(name, local_files_only=False)
    except Exception as error:  # the hub's HTTP library has errors of its own, which change with its release
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise ModelNotFound(
            f"{name!r} is not a local folder and could not be downloaded from the hub ({reason_of(error)}). "
            "Check the spelling and the network; for a gated model, log in with `hf auth login`."
        ) from error


def reason_of(error: Exception) -> str:
    """Return what an error of the hub's library says, in one line without a full stop."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return first.rstrip(".")


def cached(name: str) -> Path | None:
    """Find a model in the hub's cache, without asking the hub.

    Args:
        name: As for ``download``.

    Returns:
        The folder of its snapshot, or None if it is not cached.
    """
    from huggingface_hub.errors import HFValidationError

    try:
        return _snapshot(name, local_files_only=True)
    except (OSError, HFValidationError):
        return None


def _snapshot(name: str, *, local_files_only: bool) -> Path:
    from huggingface_hub import snapshot_download

    parts = HUB_NAME.fullmatch(name)
    if parts is None:
        raise FileNotFoundError(name)
    folder = snapshot_download(
        parts["repository"],
        revision=parts["revision"],
        allow_patterns=_DATA_FILES,
        # Subfolders hold other formats and training states.
        ignore_patterns=["*/*"],
        local_files_only=local_files_only,
    )
    return Path(folder)
