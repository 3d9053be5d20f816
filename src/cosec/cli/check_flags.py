"""Flags of `cosec check` that say which files are scanned, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFlags:
    """How files and folders are scanned."""

    jobs: int | None = None
    """Number of processes that check files; by default one for each processor core."""

    no_cache: Annotated[bool, Parameter(negative=())] = False
    """Check every file, also those that have not changed since they were checked last."""

    allow_empty: Annotated[bool, Parameter(negative=())] = False
    """A folder without Python or C files is no error."""
