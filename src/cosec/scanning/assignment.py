"""Which checkers read which file, and what they look for there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cosec.checking.finding import Checker, EntryPoints, FileChecker
from cosec.checking.patterns import PATTERNS, Language
from cosec.checking.registry import CHECKERS, default_checkers, make_checker
from cosec.errors import CheckerError, SandboxError, SettingsError
from cosec.scanning.files import SourceFile
from cosec.scanning.judgement import SANITIZER

_MAIN = re.compile(r"^[^\n/#*]*\bmain\s*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A checker that was chosen for some files."""

    name: str
    checker: Checker

    patterns: frozenset[str]
    """The patterns that it looks for."""

    languages: frozenset[Language]
    """The languages that it was chosen for and has patterns of."""

    @property
    def by_file(self) -> bool:
        """Whether it judges each file by itself."""
        return isinstance(self.checker, FileChecker)

    def reads(self, file: SourceFile) -> bool:
        """Tell whether the file is given to this checker."""
        if file.language not in self.languages:
            return False
        return self.name != SANITIZER or (file.path.suffix == ".c" and _has_main(file))

    def patterns_for(self, file: SourceFile) -> frozenset[str]:
        """Return the patterns about the language of a file."""
        return frozenset(one for one in self.patterns if PATTERNS[one].language == file.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The checkers of a scan."""

    assigned: tuple[Assigned, ...]

    wanted: frozenset[Language]
    """Languages of the wanted patterns."""

    errors: tuple[str, ...]
    """Checkers that cannot run, with the remedy."""

    def readers(self, file: SourceFile) -> tuple[Assigned, ...]:
        """Return the checkers that read a file."""
        return tuple(one for one in self.assigned if one.reads(file))


def refuse_unknown(values: Collection[str], known: Collection[str], what: str) -> None:
    """Refuse the name of a checker or of a pattern that does not exist.

    Args:
        values: The names that were given.
        known: Those that exist.
        what: The flag or the argument, for the message.

    Raises:
        SettingsError: If one does not exist; the message has the nearest one, or all.
    """
    for value in values:
        if value not in known:
            near = difflib.get_close_matches(value, list(known), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join(known)}."
            raise SettingsError(f"{what}: there is no {value!r}. {hint}")


def assign(
    files: Sequence[SourceFile],
    *,
    checkers: Sequence[str],
    patterns: Collection[str],
    dynamic: bool,
    entry_points: EntryPoints,
) -> Assignment:
    """Make the chosen checkers.

    Args:
        files: The files of the scan; checkers of other languages are not made.
        checkers: Names of `registry.CHECKERS`; empty for the defaults of each language.
        patterns: The patterns to look for.
        dynamic: Also run C files that have a ``main`` under the sanitizers.
        entry_points: The functions whose parameters are untrusted.
    """
    wanted = frozenset(PATTERNS[pattern].language for pattern in patterns)
    asked = sorted(wanted & {file.language for file in files if file.language is not None})
    chosen = {language: tuple(checkers or default_checkers(language)) for language in asked}
    names = dict.fromkeys(name for some in [checkers, *chosen.values()] for name in some)
    if dynamic:
        names[SANITIZER] = None
        chosen = {language: (*some, SANITIZER) for language, some in chosen.items()}
    assigned, errors = [], []
    for name in names:
        try:
            checker = make_checker(name, entry_points=entry_points)
        except (CheckerError, SandboxError) as error:
            errors.append(f"{name}: {error}")
            continue
        known = frozenset(checker.patterns) & frozenset(patterns)
        languages = (CHECKERS[name].languages if name in CHECKERS else frozenset()) & {
            PATTERNS[pattern].language for pattern in known
        }
        assigned.append(
            Assigned(
                name=name,
                checker=checker,
                patterns=known,
                languages=frozenset(language for language in languages if name in chosen.get(language, ())),
            )
        )
    return Assignment(assigned=tuple(assigned), wanted=wanted, errors=tuple(errors))


def _has_main(file: SourceFile) -> bool:
    try:
        return _MAIN.search(file.path.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False
