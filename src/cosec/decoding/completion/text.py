"""Token ids to text as they arrive: releases whole characters only, and holds back what may become a stop text.

A text never ends inside a character: the bytes of an incomplete one are kept apart. Bytes that cannot belong to a
character become replacement characters.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosec.decoding.completion.stop_texts import first_stop, possible_stop
from cosec.decoding.completion.token_bytes import TokenBytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


class TextStream:
    """The growing text of one completion.

    Resolves incomplete characters and stop texts together: a piece of text is released once it consists of complete
    characters and cannot be the beginning of a stop text. Splitting the same tokens differently gives the same text.

    Args:
        tokenizer: Spells the tokens; special tokens have no text.
        stop: Stop texts. The one that is complete first ends the text, and the text is cut before it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, stop: Sequence[str]) -> None:
        self._bytes = TokenBytes(tokenizer)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = tuple(stop)
        self.text = ""
        """All text decoded so far, cut before the first stop text."""
        self.stop_text: str | None = None
        """The stop text that was found; further tokens are then ignored."""
        self.incomplete = b""
        """The bytes of the character that the text was cut inside of; set by :meth:`finish`."""
        self.released = 0
        """Number of characters of the text that have been released."""

    @property
    def stopped(self) -> bool:
        """Whether a stop text was found."""
        return self.stop_text is not None

    def feed(self, token_ids: Sequence[int], *, stopping: bool = True) -> str:
        """Add tokens.

        Args:
            token_ids: The tokens.
            stopping: Whether a stop text that these tokens complete ends the text.

        Returns:
            The newly released text, possibly empty.
        """
        for token_id in token_ids:
            if self.stopped:
                break
            self._append(self._decoder.decode(self._bytes.of(token_id)), stopping)
        held = 0 if self.stopped else possible_stop(self.text, self._stop)
        return self._release(len(self.text) - held)

    def finish(self) -> str:
        """End the text and release what is still held back, except the beginning of an incomplete character.

        Returns:
            The newly released text, possibly empty.
        """
        if not self.stopped:
            self.incomplete = self._decoder.getstate()[0]
        return self._release(len(self.text))

    def _append(self, piece: str, stopping: bool) -> None:
        before = len(self.text)
        self.text += piece
        if not stopping:
            return
        found = first_stop(self.text, before, self._stop)
        if found is not None:
            place, self.stop_text = found
            self.text = self.text[:place]

    def _release(self, end: int) -> str:
        piece = self.text[self.released : end]
        self.released = max(self.released, end)
        return piece
