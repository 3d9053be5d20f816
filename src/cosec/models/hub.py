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
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    parts = HUB_NAME.fullmatch(name)
    if parts is None:
        raise ModelNotFound(f"{name!r} is no hub id (organisation/model).")
    try:
        folder = snapshot_download(
            parts["repository"],
            revision=parts["revision"],
            allow_patterns=DATA_FILES,
            # Other formats and training states in subfolders.
            ignore_patterns=["*/*"],
        )
    except (OSError, HFValidationError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise ModelNotFound(
            f"{name!r} is no folder here and could not be fetched from the hub ({reason.rstrip('.')}). "
            "Check the spelling and the network; for a gated model, log in with `hf auth login`."
        ) from error
    return Path(folder)
