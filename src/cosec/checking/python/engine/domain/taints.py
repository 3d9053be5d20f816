"""Taints: where untrusted text comes from, how it was derived, and which dangers were removed on the way.

Facts say what checks have shown about a text, and so about all texts that were derived from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from cosec.checking.python.knowledge.dangers import DANGERS, NO_DANGERS, PATH

Lineage = tuple[str, ...]
"""How a text was derived from its source, step by step; each prefix is the lineage of an earlier text."""

Facts = frozenset[tuple[Lineage, str]]
"""Pairs (lineage, danger): text of that lineage, and text derived from it, does not carry the danger."""

WHOLE = "whole"
"""In `Taint.neutral`: other text was added to it."""

LEADING = "leading"
"""In `Taint.neutral`: it is no longer at the start of the text."""

EACH = "*"
"""The step from a text or container to any one of its characters or items."""

DECODED = "decoded"
"""The step that voids earlier checks: unquoting, base64."""

ENCODED = "encoded"
"""The step to a code of the text, such as base64."""

_BEFORE = "before "
"""In `Taint.neutral`, before what was removed from a text before it was encoded."""

MAC = "mac"
"""The step from a message to its authentication code."""

MAX_LINEAGE = 16
"""Maximum number of steps of a lineage; later ones are not recorded."""

MAX_TAINTS = 24
"""Maximum number of taints of a value."""

SURROUNDINGS = frozenset({"environment", "stored"})
"""Kinds of sources that the program trusts in its checks: its environment and its database."""

CLOSED = frozenset({"template", "module"})
"""Kinds of containers that are no text: what they hold becomes text only once it is taken out."""

NO_FACTS: Facts = frozenset()
"""The empty set, typed."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place where text comes in from outside."""

    kind: str
    """A `cosec.checking.python.knowledge.sources.SourceKind`."""

    text: str
    """Its name in messages."""


@dataclass(frozen=True, slots=True)
class Taint:
    """Text from one source, with the steps since."""

    source: Source
    lineage: Lineage
    neutral: frozenset[str] = NO_DANGERS
    """Dangers that were removed, and ``lacks x`` for each character x that it cannot contain."""

    _hash: int = field(init=False, repr=False, compare=False)
    """Computed once, as sets of taints are joined all the time."""

    place: tuple[Lineage, str, str, list[str]] = field(init=False, repr=False, compare=False)
    """Sort key; the order of a set differs between processes."""

    rank: tuple[int, Lineage, str, str, list[str]] = field(init=False, repr=False, compare=False)
    """Sort key that puts taints first that carry many dangers."""

    _derived: dict[str | frozenset[str], Taint] = field(init=False, repr=False, compare=False)
    """Results of `step` by its name and of `without` by its dangers, so that equal taints are mostly one object."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.source, self.lineage, self.neutral)))
        place = (self.lineage, self.source.kind, self.source.text, sorted(self.neutral))
        object.__setattr__(self, "place", place)
        object.__setattr__(self, "rank", (len(self.neutral), *place))
        object.__setattr__(self, "_derived", {})

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Taint)
            and self._hash == other._hash
            and self.lineage == other.lineage
            and self.neutral == other.neutral
            and self.source == other.source
        )

    def step(self, name: str) -> Taint:
        """Return a text derived from this one."""
        if len(self.lineage) >= MAX_LINEAGE:
            return self
        made = self._derived.get(name)
        return made or self._derive(name, Taint(self.source, (*self.lineage, name), self.neutral))

    def without(self, dangers: frozenset[str]) -> Taint:
        """Return a copy without ``dangers``."""
        if dangers <= self.neutral:
            return self
        made = self._derived.get(dangers)
        return made or self._derive(dangers, Taint(self.source, self.lineage, self.neutral | dangers))

    def _derive(self, change: str | frozenset[str], made: Taint) -> Taint:
        """Remember ``made`` as the result of a change, or the equal taint that another change made."""
        if len(_interned) >= _MAX_INTERNED:
            _interned.clear()
        self._derived[change] = made = _interned.setdefault(made, made)
        return made

    def encoded(self) -> Taint:
        """Return a text that `decoded` turns back into this one, and that is harmless until then."""
        kept = frozenset(f"{_BEFORE}{each}" for each in self.neutral)
        return Taint(self.source, (*self.lineage, ENCODED), DANGERS | kept)

    def decoded(self) -> Taint:
        """Return the text that was encoded, here or outside; what was checked of the code does not hold for it."""
        before = frozenset(each.removeprefix(_BEFORE) for each in self.neutral if each.startswith(_BEFORE))
        if self.lineage[-1] == ENCODED:
            return Taint(self.source, self.lineage[:-1], before)
        kept = (before or self.neutral) & {"deserialization", WHOLE}
        return Taint(self.source, (*self.lineage, DECODED), frozenset(kept))

    def held_harmless(self, facts: Facts) -> frozenset[str]:
        """Return the dangers that ``facts`` rule out for this text, or for a text it was derived from."""
        if not facts:
            return NO_DANGERS
        by_lineage, answers = _grouped(facts)
        known = answers.get(self)
        if known is not None:
            return known
        void = max((place + 1 for place, name in enumerate(self.lineage) if name == DECODED), default=0)
        found: set[str] = set()
        for end in range(1, len(self.lineage) + 1):
            text = self.lineage[:end]
            # A check of every character is a check of the text.
            for dangers in (by_lineage.get(text), by_lineage.get((*text, EACH))):
                if dangers:
                    found |= dangers if end >= void else dangers & {"deserialization"}
        if self.source.kind == "archive":
            found |= self._checked_member(facts)
        answers[self] = frozenset(found)
        return answers[self]

    def _checked_member(self, facts: Facts) -> frozenset[str]:
        """Return the dangers of an archive member that a check of a path made from its name ruled out."""
        length = len(self.lineage)
        found = {
            danger
            for lineage, danger in facts
            if lineage[:length] == self.lineage and not any(map(_takes_a_part, lineage[length:]))
        }
        return PATH & found


def _takes_a_part(step: str) -> bool:
    """Tell whether a step leaves a part of a path, such as its suffix: a check of it is none of the path."""
    return step.startswith(("[", ".suffix", ".stem"))


_MAX_INTERNED = 20_000
_interned: dict[Taint, Taint] = {}
"""The last taints that were derived."""


_MAX_GROUPS = 256
_Group = tuple[dict[Lineage, set[str]], dict[Taint, frozenset[str]]]
_groups: dict[int, tuple[Facts, _Group]] = {}
"""Identity of facts -> the facts, which keeps the identity in use; their dangers by lineage; answers about taints."""


def _grouped(facts: Facts) -> _Group:
    """Group facts by lineage. The last groups are kept, as many taints are compared with the same facts."""
    kept = _groups.get(id(facts))
    if kept is not None:
        return kept[1]
    dangers: dict[Lineage, set[str]] = {}
    for lineage, danger in facts:
        dangers.setdefault(lineage, set()).add(danger)
    if len(_groups) >= _MAX_GROUPS:
        del _groups[next(iter(_groups))]
    _groups[id(facts)] = facts, (dangers, {})
    return _groups[id(facts)][1]


_origins: set[Source] = set()


def first_taint(source: Source) -> Taint:
    """Return the taint of a text that comes in; all others derive from such a one."""
    _origins.add(source)
    return Taint(source, (f"{source.kind}:{source.text}",))


def any_taint() -> bool:
    """Tell whether any text came in so far. Until then, no value has taints and no check shows facts."""
    return bool(_origins)


def forget_taints() -> None:
    """Drop what is kept of earlier taints and facts, which another file does not need."""
    _interned.clear()
    _groups.clear()
    _origins.clear()


def limited(taints: frozenset[Taint]) -> frozenset[Taint]:
    """Return at most `MAX_TAINTS` of them, which bounds the time of the analysis."""
    if len(taints) <= MAX_TAINTS:
        return taints
    return frozenset(sorted(taints, key=attrgetter("rank"))[:MAX_TAINTS])


def facts_for(taints: Iterable[Taint], dangers: Iterable[str]) -> Facts:
    """Return the facts that ``taints`` do not carry ``dangers``."""
    kinds = tuple(dangers)
    return frozenset((taint.lineage, danger) for taint in taints for danger in kinds)
