"""What is known about one variable at one place of a C function."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one variable."""

    unchecked: bool = False
    """It may be NULL: no condition tested it."""

    null: bool = False
    """A condition found it to be NULL, on this path or on one that joined it."""

    used_at: int = 0
    """Where every path dereferences it before a test: the place in the text, 0 for nowhere, `TESTED` after a test."""

    freed: bool = False

    freed_at: int = 0
    """Where it was freed: the place in the text."""

    possibly: bool = False
    """Whether it was freed only if a local function found a reason to."""

    outside: bool = False
    """A number from outside the program."""

    low: int | None = None
    """Smallest possible value."""

    high: int | None = None
    """Largest possible value."""

    bounded: bool = False
    """Whether it was compared with an upper bound."""

    negative: bool = False
    """Whether it may be less than 0, as nothing compared it: a remainder, a letter, or the result of a search."""

    past: bool = False
    """Whether its only upper bound is a count that it may equal."""

    over: str = ""
    """The member of a struct, such as ``list->count``, that is its only upper bound and that it may equal."""

    loose: bool = False
    """Whether its upper bound is an unchecked number from outside."""

    message: str = ""
    """The buffer that the number was read from."""

    limits: frozenset[str] = frozenset()
    """The variables in the bounds that it was compared with and that are no constants."""

    moved: str = ""
    """The pointer that is freed unless this one is NULL: the argument of ``realloc``."""

    same: str = ""
    """The pointer that this one was set to."""

    within: str = ""
    """The pointer into whose memory this one points if it is not NULL, as the result of a search does."""

    owner: str = ""
    """The object out of whose memory it was read, or out of what belongs to that object."""

    def joined(self, other: Facts) -> Facts:
        """Return the facts that hold on both paths."""
        highs, lows = (self.high, other.high), (self.low, other.low)
        return Facts(
            unchecked=self.unchecked or other.unchecked,
            null=self.null or other.null,
            used_at=min(self.used_at, other.used_at),
            freed=self.freed or other.freed,
            freed_at=self.freed_at if self.freed else other.freed_at,
            possibly=self.possibly or other.possibly,
            outside=self.outside or other.outside,
            low=None if lows[0] is None or lows[1] is None else min(lows[0], lows[1]),
            high=None if highs[0] is None or highs[1] is None else max(highs[0], highs[1]),
            bounded=self.bounded and other.bounded,
            negative=self.negative or other.negative,
            past=self.past or other.past,
            over=self.over or other.over,
            loose=self.loose or other.loose,
            message=self.message or other.message,
            limits=self.limits | other.limits if self.limits and other.limits else frozenset(),
            moved=self.moved if self.moved == other.moved else "",
            same=self._kept(other, self.same, other.same),
            within=self._kept(other, self.within, other.within),
            owner=self._kept(other, self.owner, other.owner),
        )

    def _kept(self, other: Facts, mine: str, others: str) -> str:
        """Return a relation to another pointer that holds on both paths, where this one is not NULL."""
        if mine == others or other._is_zero:
            return mine
        return others if self._is_zero else ""

    @property
    def _is_zero(self) -> bool:
        return self.low == self.high == 0


TESTED = -1
"""The place of a pointer that a condition has tested (`Facts.used_at`)."""

State = dict[str, Facts] | None
"""Facts of each variable; None if no path arrives."""


def without_nulls(state: State, before: State = None) -> State:
    """Return the facts without pointers that are NULL, but for those that were already NULL ``before``."""
    if state is None or not any(facts.null for facts in state.values()):
        return state
    kept = {name for name, facts in before.items() if facts.null} if before is not None else set()
    return {
        name: replace(facts, null=False) if facts.null and name not in kept else facts for name, facts in state.items()
    }


def join(first: State, second: State) -> State:
    """Return the facts after two paths join."""
    if first is None or second is None:
        return second if first is None else first
    joined = {}
    for name in first.keys() | second.keys():
        one, other = first.get(name, _NOTHING), second.get(name, _NOTHING)
        joined[name] = one if one is other or one == other else one.joined(other)
    return joined


_NOTHING = Facts()
