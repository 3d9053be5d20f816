"""The bytes that a token stands for: tokens of one character's parts have bytes, but no text of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
"""A token of one byte, in vocabularies that spell other tokens as text."""

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
"""Stands for a space in vocabularies of SentencePiece."""


class TokenBytes:
    """Looks up the bytes of tokens.

    Args:
        tokenizer: A tokenizer that spells bytes as GPT-2's does, as ``<0x0A>``, or not at all.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self._added = {
            token_id: (token.content, token.special)
            for token_id, token in self._tokenizer.get_added_tokens_decoder().items()
        }
        decoder = self._tokenizer.decoder
        parts = [] if decoder is None else list(_parts(json.loads(decoder.__getstate__())))
        kinds = {part["type"] for part in parts}
        self._spells_bytes = "ByteLevel" in kinds
        self._has_byte_tokens = "ByteFallback" in kinds
        self._spells_spaces = "Metaspace" in kinds or any(
            part["type"] == "Replace" and part["pattern"].get("String") == _SPACE for part in parts
        )

    def is_special(self, token_id: int) -> bool:
        """Whether the token is a special token, which has no text in a completion."""
        return self._added.get(token_id, ("", False))[1]

    def spelling(self, token_id: int) -> bytes:
        """The bytes of a token; of a special token those of its name. Empty for an id that no token has."""
        if token_id in self._added:
            return self._added[token_id][0].encode()
        token = self._tokenizer.id_to_token(token_id)
        if token is None:
            return b""
        if self._spells_bytes and all(char in _bytes_of_characters() for char in token):
            return bytes(_bytes_of_characters()[char] for char in token)
        if self._has_byte_tokens and (found := _BYTE_TOKEN.fullmatch(token)):
            return bytes([int(found[1], 16)])
        if self._spells_spaces:
            return token.replace(_SPACE, " ").encode()
        return self._tokenizer.decode([token_id], skip_special_tokens=False).encode()

    def of(self, token_id: int) -> bytes:
        """The bytes that a token adds to a completion; none for a special token."""
        return b"" if self.is_special(token_id) else self.spelling(token_id)


def _parts(decoder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The decoder and the decoders that it consists of."""
    yield decoder
    for part in decoder.get("decoders", ()):
        yield from _parts(part)


@lru_cache(maxsize=1)
def _bytes_of_characters() -> dict[str, int]:
    """The byte of each character in GPT-2's spelling: printable ones stand for themselves, others are moved up."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
