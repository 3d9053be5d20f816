"""Models from the Hugging Face hub: only data files are fetched, never pickles or code."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from cosec.errors import ModelNotFound

HUB_NAME = re.compile(r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
"""``organisation/model``, with ``@revision`` behind it for another branch, tag or commit."""

DATA_FILES = ["*.safetensors", "*.json", "*.txt", "*.jinja", "tokenizer.model"]


def download(name: str) -> Path:
    """Fetch a model's configuration, safetensors weights and tokenizer, or find them in the hub's cache.

    Args:
        name: A hub id, optionally with a revision, as ``HUB_NAME`` matches it.

    Returns:
        The folder of that snapshot.

    Raises:
        ModelNotFound: If the hub cannot be reached and nothing is cached, or it has no such model for this user.
    """
    from huggingface_hub.errors import HFValidationError

    if HUB_NAME.fullmatch(name) is None:
        raise ModelNotFound(f"{name!r} is no hub id (organisation/model).")
    try:
        return _snapshot(name, local_files_only=False)
    except (OSError, HFValidationError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelNotFound(
            f"{name!r} is no folder here and could not be fetched from the hub ({reason.rstrip('.')}). "
            "Check the spelling and the network; for a gated model, log in with `hf auth login`."
        ) from error


def cached(name: str) -> Path | None:
    """Find a model that was fetched before, without asking the hub.

    Args:
        name: As for ``download``.

    Returns:
        The folder of its snapshot, or None.
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
        allow_patterns=DATA_FILES,
        # Other formats and training states in subfolders.
        ignore_patterns=["*/*"],
        local_files_only=local_files_only,
    )
    return Path(folder)
