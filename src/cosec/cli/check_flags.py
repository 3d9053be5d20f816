"""Flags of `cosec check` that say which files are scanned, how, and what a project has accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

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

    entry_points: Literal["declared", "all"] | None = None
    """The Python functions whose parameters are untrusted. declared: those that a framework or the command line calls,
    such as routes, commands and message handlers. all: also each function that nothing in its file calls; the default
    for --labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFlags:
    """What a project leaves out and has accepted."""

    exclude: tuple[str, ...] = ()
    """Leave out files and folders by a pattern as in .gitignore, from the working folder on; repeatable. A file or
    folder that is named is checked all the same."""

    force_exclude: Annotated[bool, Parameter(negative=())] = False
    """Leave out named files and folders too, as a hook names every file of a commit."""

    config: Path | None = None
    """File with [tool.cosec.check]. The default is the nearest pyproject.toml that has it, from the paths upward."""

    isolated: Annotated[bool, Parameter(negative=())] = False
    """Read no settings of a project."""

    baseline: Path | None = None
    """Known findings, from --write-baseline or an earlier JSON or SARIF report; only others are shown and count."""

    write_baseline: Path | None = None
    """Write all findings to this file as known ones; the exit code is 0 then."""

    sarif: Path | None = None
    """Also write the report in SARIF 2.1.0 to this file."""
