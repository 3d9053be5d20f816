"""Tokens as answers show them: names without ambiguity, bytes, and where each begins in the returned text."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence

from transformers import PreTrainedTokenizerFast

from cosec.decoding.completion.token_bytes import TokenBytes

_LEAST_LOG_PROB = -9999.0
"""Stands for minus infinity, which JSON lacks, as in the OpenAI API."""


class TokenTexts:
    """Names tokens for one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._bytes = TokenBytes(tokenizer)

    def bytes_of(self, token_id: int) -> bytes:
        """The bytes that the token adds to a text; of a special token those of its name."""
        return self._bytes.spelling(token_id)

    def name(self, token_id: int) -> str:
        r"""The token's text, or ``bytes:\xf0\x9f`` if its bytes are no text, as in the OpenAI API."""
        spelling = self._bytes.spelling(token_id)
        try:
            return spelling.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in spelling)

    def places(self, start: int = 0) -> TokenPlaces:
        """Finds where the tokens of a completion begin, which itself begins at the character ``start``."""
        return TokenPlaces(self._bytes, start)

    def places_in(self, text: str, token_ids: Sequence[int]) -> list[int]:
        """The character of a text in which each of its tokens begins.

        Tokenizers differ in whether special tokens and a first space are part of the text; what fits is taken.
        """
        for read in (self._bytes.spelling, self._bytes.of):
            for spellings in ([read(token) for token in token_ids], _without_first_space(map(read, token_ids))):
                if b"".join(spellings).decode(errors="replace") == text:
                    return _starts(spellings)
        return [min(start, len(text)) for start in _starts([self._bytes.of(token) for token in token_ids])]


class TokenPlaces:
    """Finds in which character of a growing text each token begins. The places never fall.

    Args:
        tokens: The bytes of tokens.
        start: The first token's place.
    """

    def __init__(self, tokens: TokenBytes, start: int) -> None:
        self._tokens = tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._next = start

    def place(self, token_id: int) -> int:
        """The place of the next token: the character that its first byte belongs to."""
        place = self._next
        self._next += len(self._decoder.decode(self._tokens.of(token_id)))
        return place


def finite(log_prob: float) -> float:
    """A log-probability that JSON can represent."""
    return max(log_prob, _LEAST_LOG_PROB)


def finite_if_known(log_prob: float | None) -> float | None:
    """A log-probability that JSON can represent; None for a text that the target did not write or score."""
    return None if log_prob is None else finite(log_prob)


def _starts(spellings: Iterable[bytes]) -> list[int]:
    decoder, starts, place = codecs.getincrementaldecoder("utf-8")("replace"), [], 0
    for spelling in spellings:
        starts.append(place)
        place += len(decoder.decode(spelling))
    return starts


def _without_first_space(spellings: Iterable[bytes]) -> list[bytes]:
    found = list(spellings)
    for place, spelling in enumerate(found):
        if spelling:
            return [*found[:place], spelling.removeprefix(b" "), *found[place + 1 :]]
    return found
