"""Log-probabilities of parts of the target's text, from those of the target's own tokens."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise


class TokensOfText:
    """The tokens of a text that arrives in pieces, each handed out once its bytes have arrived.

    Servers name a token that is no whole text in their own ways, some of which do not tell its bytes. From the first
    token on that is not what the text has, no token is handed out.
    """

    def __init__(self) -> None:
        self._text = b""
        """The text whose tokens were not handed out."""
        self._tokens: list[tuple[bytes, float]] = []
        """The tokens that were not handed out."""

    def add(self, text: str, tokens: Iterable[tuple[bytes, float]]) -> tuple[tuple[str, float], ...]:
        """Add a piece of text and tokens with their log-probabilities.

        Returns:
            The tokens that the text has by now; bytes that are no text are surrogates.
        """
        self._text += text.encode()
        self._tokens += tokens
        found = list[tuple[str, float]]()
        while self._tokens and self._text.startswith(self._tokens[0][0]):
            token, log_prob = self._tokens.pop(0)
            self._text = self._text[len(token) :]
            found.append((token.decode(errors="surrogateescape"), log_prob))
        return tuple(found)


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
            self._end += len(token.encode(errors="surrogateescape"))
            if token:  # one without text, such as the beginning of a character, belongs to what follows
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
