"""The checkers that can be chosen: what each reads, what it needs, and which of them run by default.

The entries name the checkers' modules; `make_checker` imports one. Several checkers may look for the same pattern: a
file is judged by the union of their findings.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from cosec.checking.finding import Checker, EntryPoints
from cosec.checking.patterns import Language
from cosec.errors import CheckerError
from cosec.extras import how_to_install


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckerEntry:
    """A checker that can be chosen."""

    name: str

    languages: frozenset[Language]
    """The languages that it reads."""

    module: str
    class_name: str

    missing: Callable[[], str | None]
    """Returns what it needs and does not find, with the remedy; None if it can run."""

    default: bool
    """Whether it runs if none is chosen."""

    told_entry_points: bool = False
    """Whether it takes ``entry_points``."""


def _missing_semgrep() -> str | None:
    from cosec.checking.external.semgrep import INSTALL, find_semgrep

    return None if find_semgrep() is not None else f"semgrep is not installed; {INSTALL}."


def _missing_program(program: str, remedy: str) -> Callable[[], str | None]:
    return lambda: None if shutil.which(program) is not None else f"{program} is not on the PATH; {remedy}."


def _missing_parser() -> str | None:
    try:
        import_module("tree_sitter")
        import_module("tree_sitter_c")
    except ImportError:
        return f"tree-sitter is not installed; {how_to_install('evaluation')}."
    return None


def _nothing() -> str | None:
    return None


_ROOM = "cosec.checking"
_PYTHON, _C = frozenset[Language]({"py"}), frozenset[Language]({"c"})
_ENTRIES = (
    CheckerEntry(
        name="flow",
        languages=_PYTHON,
        module=f"{_ROOM}.python.checker",
        class_name="FlowChecker",
        missing=_nothing,
        default=True,
        told_entry_points=True,
    ),
    CheckerEntry(
        name="c-static",
        languages=_C,
        module=f"{_ROOM}.c.static",
        class_name="CStaticChecker",
        missing=_missing_parser,
        default=True,
    ),
    CheckerEntry(
        name="semgrep",
        languages=_PYTHON | _C,
        module=f"{_ROOM}.external.semgrep",
        class_name="SemgrepChecker",
        missing=_missing_semgrep,
        default=False,
    ),
    CheckerEntry(
        name="sanitizer",
        languages=_C,
        module=f"{_ROOM}.c.sanitizer",
        class_name="SanitizerChecker",
        missing=_missing_program("gcc", "install gcc"),
        default=False,
    ),
    CheckerEntry(
        name="codeql",
        languages=_PYTHON | _C,
        module=f"{_ROOM}.external.codeql",
        class_name="CodeqlChecker",
        missing=_missing_program("codeql", "install the CodeQL command line with its standard queries"),
        default=False,
    ),
)

CHECKERS = {entry.name: entry for entry in _ENTRIES if find_spec(entry.module) is not None}
"""Every checker by its name."""


RUN_PROGRAMS = frozenset({"sanitizer", "codeql"})
"""Checkers that start a compiler, or what it makes."""


def available_checkers() -> tuple[str, ...]:
    """Return the names of the checkers that can run on this machine."""
    return tuple(name for name, entry in CHECKERS.items() if entry.missing() is None)


def default_checkers(language: Language) -> tuple[str, ...]:
    """Return the names of the checkers of a language that run by default.

    Python: ``flow`` alone, as semgrep finds nothing more on the labelled completions and takes seconds to start. C:
    ``c-static`` and semgrep. A default checker that is missing here is named too, so that it becomes an error and never
    "no findings".
    """
    chosen = study_checkers(language)
    return (*chosen, "semgrep") if language == "c" else chosen


def study_checkers(language: Language) -> tuple[str, ...]:
    """Return the names of the checkers for the completions of a study: the default ones without semgrep.

    Semgrep takes seconds to start, and C scenarios with inputs are run under the sanitizers instead.
    """
    return tuple(name for name, entry in CHECKERS.items() if entry.default and language in entry.languages)


def make_checker(name: str, *, entry_points: EntryPoints = "all") -> Checker:
    """Make a checker by its name.

    Args:
        name: One of `CHECKERS`.
        entry_points: The functions whose parameters are untrusted, for checkers that distinguish them.

    Raises:
        CheckerError: If the name is unknown or the checker cannot run here; names the remedy.
    """
    entry = CHECKERS.get(name)
    if entry is None:
        raise CheckerError(f"There is no checker {name!r}; choose from {', '.join(CHECKERS)}.")
    missing = entry.missing()
    if missing is not None:
        raise CheckerError(missing)
    made = getattr(import_module(entry.module), entry.class_name)
    return cast(Checker, made(entry_points=entry_points) if entry.told_entry_points else made())
