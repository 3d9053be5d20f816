"""Text as tokens of the security model, independent of how the text arrives.

A text is divided into *segments* by its characters alone, and each segment is encoded by itself. What was encoded once
therefore never changes when more text follows, and the same text gives the same tokens in whatever pieces it arrives.
Segments end where the pre-tokenizers of GPT-2, Qwen and Llama 3 also separate words: between a character and the blank
after it, and between a newline and the character after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosec.decoding.completion.token_bytes import TokenBytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BOUNDARY = re.compile(r"(?<=\S)(?=[ \t])|(?<=\n)(?=\S)")
LONGEST_SEGMENT = 128
"""Characters after which a segment ends in any case."""

_ANCHOR = "\n"
"""Encoded before a segment where the tokenizer adds a space to the beginning of every text."""


def segments(text: str) -> list[str]:
    """Divide a text; only the last segment may become longer when more text follows."""
    found: list[str] = []
    ends = [match.start() for match in _BOUNDARY.finditer(text)]
    start = 0
    for end in [*ends, len(text)]:
        while end - start > LONGEST_SEGMENT:
            found.append(text[start : start + LONGEST_SEGMENT])
            start += LONGEST_SEGMENT
        if end > start:
            found.append(text[start:end])
        start = end
    return found


class TextTokens:
    """Encodes segments of a completion, and knows the bytes of tokens.

    Args:
        tokenizer: The security model's.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self.bytes = TokenBytes(tokenizer)
        """The bytes of each token."""
        self._anchor: list[int] = []
        if self._spelled(self._encoded("x")) != b"x":
            self._anchor = self._encoded(_ANCHOR)

    def encode(self, text: str) -> list[tuple[int, bytes]]:
        """Encode a segment.

        Returns:
            Each token with the bytes of the text that it stands for. Together these are the text, also where the
            tokenizer normalises it.
        """
        ids = self._encoded((_ANCHOR if self._anchor else "") + text)
        ids = ids[len(self._anchor) :] if ids[: len(self._anchor)] == self._anchor else self._encoded(text)
        spelled = [self.bytes.spelling(one) for one in ids]
        whole = text.encode()
        if b"".join(spelled) == whole:
            return list(zip(ids, spelled, strict=True))
        return _whole_characters(self._offsets(text), text)

    def _encoded(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def _spelled(self, ids: Sequence[int]) -> bytes:
        return b"".join(map(self.bytes.spelling, ids))

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [(one, offset[0]) for one, offset in zip(encoding.ids, encoding.offsets, strict=True)]


def _whole_characters(tokens: Sequence[tuple[int, int]], text: str) -> list[tuple[int, bytes]]:
    """Share a text among tokens whose spelling differs from it, by the characters at which they begin."""
    found: list[tuple[int, bytes]] = []
    begin = 0
    for place, (token, _) in enumerate(tokens):
        end = max(begin, tokens[place + 1][1]) if place + 1 < len(tokens) else len(text)
        found.append((token, text[begin:end].encode()))
        begin = end
    return found
