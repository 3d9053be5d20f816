"""Findings that people have accepted, by a comment in the source or by a baseline, told from those that count."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cosec.checking.finding import Finding
from cosec.checking.patterns import PATTERNS, Language
from cosec.checking.registry import default_checkers
from cosec.scanning.adoption.baseline import Baseline, Known, Scope
from cosec.scanning.suppression import Suppressed, Unused, suppress

_LANGUAGES: tuple[Language, ...] = ("py", "c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was accepted in a scan, and what accepts nothing."""

    suppressed: tuple[Suppressed, ...] = ()
    """Findings that a comment accepts."""

    known: tuple[Finding, ...] = ()
    """Findings that the baseline has."""

    unused: tuple[Unused, ...] = ()
    """Comments without effect."""

    stale: tuple[Known, ...] = ()
    """Entries of the baseline without effect."""

    def notes(self) -> Iterator[str]:
        """Describe comments and entries without effect, each in a line without its full stop."""
        for unused in self.unused:
            yield f"{unused.path}:{unused.line}: {unused.message}"
        for entry in self.stale:
            yield (
                f"{entry.path}:{entry.line}: {entry.pattern} of the baseline is not found any more; "
                "--write-baseline drops it"
            )


class Acceptance:
    """Sorts the findings of a scan, file by file, by whether they count."""

    def __init__(
        self,
        *,
        checkers: Sequence[str] = (),
        patterns: Collection[str] | None = None,
        dynamic: bool = False,
        baseline: Baseline | None = None,
    ) -> None:
        """Prepare for a scan.

        Args:
            checkers: Those of the scan; empty for the defaults of each language.
            patterns: Those that the scan looks for; None for all.
            dynamic: Whether it also runs C files under the sanitizers.
            baseline: Known findings; its entries are used up.
        """
        defaults = {language: default_checkers(language) for language in _LANGUAGES}
        ran = frozenset(checkers or (name for names in defaults.values() for name in names))
        complete = {language for language, names in defaults.items() if ran.issuperset(names)}
        wanted = PATTERNS if patterns is None else patterns
        self._looked_for = frozenset(pattern for pattern in wanted if PATTERNS[pattern].language in complete)
        self._checkers = ran | {"sanitizer"} if dynamic else ran
        self._baseline = baseline
        self._judged: set[str] = set()
        self._suppressed: list[Suppressed] = []
        self._known: list[Finding] = []
        self._unused: list[Unused] = []

    def sort(
        self, path: str, data: bytes, language: Language, findings: Sequence[Finding], *, judged: bool
    ) -> tuple[Finding, ...]:
        """Return the findings of one file that count, and keep account of the others.

        Args:
            path: Of the file, as findings name it.
            data: The file.
            language: Of the file.
            findings: All of this file.
            judged: Whether it was judged by all that the scan looks for.
        """
        if judged:
            self._judged.add(path)
        sorted_ = suppress(path, data, language, findings, self._looked_for if judged else ())
        self._suppressed += sorted_.suppressed
        self._unused += sorted_.unused
        new = sorted_.findings if self._baseline is None else self._baseline.new(sorted_.findings)
        kept = set(new)
        self._known += (one for one in sorted_.findings if one not in kept)
        return new

    def scope(self, *, failed: bool) -> Scope:
        """Return what was looked for: nothing for certain if a checker ``failed``.

        A pattern counts as looked for only if the default checkers of its language were among those that ran.
        """
        if failed:
            return Scope()
        return Scope(paths=frozenset(self._judged), patterns=self._looked_for, checkers=self._checkers)

    def accepted(self, *, failed: bool) -> Accepted:
        """Return what was accepted; if a checker ``failed``, nothing is called unused."""
        return Accepted(
            suppressed=tuple(sorted(self._suppressed)),
            known=tuple(sorted(self._known)),
            unused=() if failed else tuple(sorted(self._unused)),
            stale=() if self._baseline is None else self._baseline.stale(self.scope(failed=failed)),
        )
