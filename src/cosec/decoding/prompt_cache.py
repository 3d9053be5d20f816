"""Prompts that have been read: their keys and values are kept, so that a known prompt is not read again.

What an entry may be reused for is a policy of two questions, :class:`ReusePolicy`. :class:`WholePrompts` serves
studies, where a text must not depend on what was cached before. :class:`LongestBeginning` serves an editor's requests,
where each prompt extends the one before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from cosec.decoding.pairing import PreparedPair

DEFAULT_MEMORY = 3 * 2**29
"""Default size of a study's cache in bytes. With the embedded pair this is 17 000 tokens."""

_LEAST_SHARED = 8
"""Shorter common beginnings are read again: copying them costs more."""


class Rows(Protocol):
    """Rows that were fed a prompt: lanes, or a single model."""

    def fork(self, kept: int) -> Any:
        """A copy with only the first ``kept`` tokens of each row."""
        ...


Kept = TypeVar("Kept", bound=Rows)
"""What a cache keeps."""


@runtime_checkable
class ReusePolicy(Protocol):
    """Decides what a cached prompt may be reused for."""

    uses_parts: bool
    """Whether an entry may be used for prompts that only begin like it."""

    def usable(self, kept: tuple[int, ...], wanted: tuple[int, ...]) -> int:
        """How many leading tokens of ``wanted`` may be taken from the entry of ``kept``; 0 for none."""
        ...

    def replaces(self, new: tuple[int, ...], kept: tuple[int, ...]) -> bool:
        """Whether an entry for ``new`` makes the entry of ``kept`` superfluous."""
        ...


class WholePrompts:
    """Reuse of whole prompts only.

    The keys and values of a prompt are then always those of one uninterrupted reading.
    """

    uses_parts = False

    def usable(self, kept: tuple[int, ...], wanted: tuple[int, ...]) -> int:
        """All tokens if both prompts are equal, else 0."""
        return len(kept) if kept == wanted else 0

    def replaces(self, new: tuple[int, ...], kept: tuple[int, ...]) -> bool:
        """Never."""
        return False


class LongestBeginning:
    """Reuse of the longest common beginning, if it has at least 8 tokens.

    Keys and values may then come from several readings, which round differently from one.
    """

    uses_parts = True

    def usable(self, kept: tuple[int, ...], wanted: tuple[int, ...]) -> int:
        """Length of the common beginning, or 0 if it is too short."""
        shared = common_length(kept, wanted)
        return shared if shared >= _LEAST_SHARED else 0

    def replaces(self, new: tuple[int, ...], kept: tuple[int, ...]) -> bool:
        """Whether ``new`` begins with ``kept``."""
        return new[: len(kept)] == kept


class PromptCache(Generic[Kept]):
    """The most recently used prompts with their keys and values.

    An entry belongs to a *kind* of rows: rows of different kinds keep different values for the same prompt.

    Args:
        max_tokens: Maximum number of tokens over all entries; 0 keeps nothing.
        policy: What an entry may be reused for.
        max_entries: Maximum number of entries; None for no limit but the tokens.
    """

    def __init__(self, max_tokens: int, policy: ReusePolicy, max_entries: int | None = None) -> None:
        self._max_tokens = max_tokens
        self._max_entries = max_entries
        self._policy = policy
        self._entries: OrderedDict[tuple[Hashable, tuple[int, ...]], Kept] = OrderedDict()

    @classmethod
    def for_study(cls, pair: PreparedPair, memory: int = DEFAULT_MEMORY) -> PromptCache[Kept]:
        """A cache of whole prompts that fits into ``memory`` bytes.

        It keeps nothing if a model's configuration does not tell the size of its key-value cache.
        """
        per_token = pair.cache_bytes_per_token
        return cls(memory // per_token if per_token else 0, WholePrompts(), most_cached_prompts(pair))

    @property
    def keeps_texts(self) -> bool:
        """Whether it is of use to keep a prompt with the text that was written after it."""
        return self._policy.uses_parts and self._max_tokens > 0

    @property
    def tokens(self) -> int:
        """Number of tokens over all entries."""
        return sum(len(prompt) for _, prompt in self._entries)

    def clear(self) -> None:
        """Remove all entries."""
        self._entries.clear()

    def take(self, kind: Hashable, prompt: Sequence[int]) -> tuple[Kept, int] | None:
        """Look up as much of a prompt as is known.

        Returns:
            Rows that have been fed the beginning of ``prompt``, and the length of that beginning; None if nothing
            usable is known. The rows are a copy: the caller may change them at once.
        """
        best, shared, wanted = None, 0, tuple(prompt)
        for key in self._entries:
            usable = self._policy.usable(key[1], wanted) if key[0] == kind else 0
            if usable > shared:
                best, shared = key, usable
        if best is None:
            return None
        self._entries.move_to_end(best)
        copy: Kept = self._entries[best].fork(shared)
        return copy, shared

    def keep(self, kind: Hashable, prompt: Sequence[int], rows: Kept) -> None:
        """Keep a copy of rows that have been fed ``prompt``.

        Drops the least recently used entries beyond ``max_tokens`` and ``max_entries``. Does nothing if the prompt is
        known, or if the policy would never reuse it, or if it alone exceeds ``max_tokens``.
        """
        read = tuple(prompt)
        if len(read) > self._max_tokens or not self._policy.usable(read, read) or (kind, read) in self._entries:
            return
        for key in [key for key in self._entries if key[0] == kind and self._policy.replaces(read, key[1])]:
            del self._entries[key]
        self._entries[(kind, read)] = rows.fork(len(read))
        while self.tokens > self._max_tokens or len(self._entries) > (self._max_entries or len(self._entries)):
            self._entries.popitem(last=False)


def most_cached_prompts(pair: PreparedPair) -> int | None:
    """How many prompts a cache may hold beside running sequences; None if the runtime has no limit."""
    return None if pair.most_sequences is None else pair.most_sequences // 4


def common_length(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many leading tokens two prompts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # bisection: comparing slices runs in C
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
