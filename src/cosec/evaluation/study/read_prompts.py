"""Prompts that were read already: a study's arms complete the same prompts, so each need be read only once.

Only whole prompts are reused, so that what a model remembers of one never depends on what was read before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair

DEFAULT_MEMORY = 3 * 2**29
"""Bytes for kept prompts: with the embedded pair 17 000 tokens, more than the prompts of a benchmark have."""


class ReadPrompts:
    """The most recently used prompts with what the models remember of them, up to a number of tokens."""

    def __init__(self, max_tokens: int) -> None:
        """Keep so many tokens; none with 0."""
        self._max_tokens = max_tokens
        self._entries: OrderedDict[tuple[Hashable, tuple[int, ...]], Lanes] = OrderedDict()

    @classmethod
    def within(cls, pair: PreparedPair, memory: int = DEFAULT_MEMORY) -> ReadPrompts:
        """Keep what ``memory`` bytes hold of both models' caches; nothing where a model does not tell its size."""
        return cls(memory // pair.cache_bytes_per_token if pair.cache_bytes_per_token else 0)

    def lanes_of(self, kind: Hashable, empty: Lanes, prompts: Sequence[tuple[int, ...]]) -> list[Lanes]:
        """Lanes with one row for each prompt; they are the caller's, to extend and to use up.

        Args:
            kind: What ``empty`` is: lanes of one kind remember the same of one prompt.
            empty: Reads the prompts that are not known.
            prompts: Token ids.
        """
        return [self._lanes_of((kind, prompt), empty) for prompt in prompts]

    def _lanes_of(self, key: tuple[Hashable, tuple[int, ...]], empty: Lanes) -> Lanes:
        prompt = key[1]
        if key not in self._entries:
            read = empty.prefill([prompt])
            if len(prompt) > self._max_tokens:
                return read
            self._entries[key] = read.fork(len(prompt))
            while sum(len(kept) for _, kept in self._entries) > self._max_tokens:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return self._entries[key].fork(len(prompt))
