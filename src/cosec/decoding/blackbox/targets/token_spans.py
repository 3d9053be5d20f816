"""Log-probabilities of parts of the target's text, from those of the target's own tokens."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise


class TokenSpans:
    """The tokens that a target wrote in one request, one after the other.

    Args:
        begin: Bytes of the completion before them.
    """

    def __init__(self, begin: int) -> None:
        self._ends = {begin: 0}
        """For each end of a token, in bytes of the completion, the number of tokens up to it."""
        self._log_probs: list[float] = []
        self._end = begin

    def add(self, tokens: Iterable[tuple[str, float]]) -> None:
        """Add tokens with their log-probabilities."""
        for token, log_prob in tokens:
            self._log_probs.append(log_prob)
            self._end += len(token.encode(errors="surrogatepass"))
            self._ends[self._end] = len(self._log_probs)

    def of(self, sizes: Iterable[int], begin: int) -> list[float | None]:
        """The log-probabilities of successive parts of the text.

        Args:
            sizes: Bytes of each part.
            begin: Bytes of the completion before the first part.

        Returns:
            For each part the sum over its tokens; None if it does not begin and end with tokens of the target.
        """
        places = list(accumulate(sizes, initial=begin))
        found: list[float | None] = []
        for start, end in pairwise(places):
            if start in self._ends and end in self._ends and start < end:
                found.append(sum(self._log_probs[self._ends[start] : self._ends[end]]))
            else:
                found.append(None)
        return found
