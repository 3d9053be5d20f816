"""Prompts already read: an editor's next keystroke extends the last prompt, and only the difference has to be fed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from cosec.decoding.engine.lanes import Lanes

_LEAST_SHARED = 8
"""Fewer tokens in common than this are not worth a copy."""


class PrefixCache:
    """The most recently used prompts with what the models remember of them, up to a number of tokens."""

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._entries: OrderedDict[tuple[str, tuple[int, ...]], Lanes] = OrderedDict()

    @property
    def tokens(self) -> int:
        """Tokens that the entries remember."""
        return sum(len(prompt) for _, prompt in self._entries)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def take(self, arm: str, prompt: Sequence[int]) -> tuple[Lanes, int] | None:
        """A copy of lanes that were fed the longest known beginning of ``prompt``, and how many tokens that is."""
        best, shared = None, _LEAST_SHARED - 1
        wanted = tuple(prompt)
        for key in self._entries:
            common = common_length(key[1], wanted) if key[0] == arm else 0
            if common > shared:
                best, shared = key, common
        if best is None:
            return None
        self._entries.move_to_end(best)
        return self._entries[best].fork(shared), shared

    def keep(self, arm: str, prompt: Sequence[int], lanes: Lanes) -> None:
        """Remember what lanes with one row were fed; entries that the prompt extends are replaced by it."""
        read = tuple(prompt)
        if not _LEAST_SHARED <= len(read) <= self._max_tokens or (arm, read) in self._entries:
            return
        for key in [key for key in self._entries if key[0] == arm and read[: len(key[1])] == key[1]]:
            del self._entries[key]
        self._entries[(arm, read)] = lanes.fork(len(read))
        while self.tokens > self._max_tokens:
            self._entries.popitem(last=False)


def common_length(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many leading tokens two prompts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # comparing slices runs in C, so halving beats walking
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
