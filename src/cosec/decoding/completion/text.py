"""Token ids to text as they arrive: releases whole characters only, and holds back what may become a stop text.

A text never ends inside a character: the bytes of an incomplete one are kept apart.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tokenizers.decoders import DecodeStream

from cosec.decoding.completion.stop_texts import first_stop, possible_stop
from cosec.decoding.completion.token_bytes import TokenBytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_CONTEXT = 4
"""Prompt tokens given to the decoder as context, so that a leading space of the completion is kept."""


class TextStream:
    """The growing text of one completion.

    Resolves incomplete characters and stop texts together: a piece of text is released once it consists of complete
    characters and cannot be the beginning of a stop text. Splitting the same tokens differently gives the same text.

    Args:
        tokenizer: Decodes the tokens; special tokens have no text.
        prompt_ids: The prompt, as context for the first token.
        stop: Stop texts. The one that is complete first ends the text, and the text is cut before it.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, prompt_ids: Sequence[int], stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        self._whole_tokenizer = tokenizer
        context = list(prompt_ids[-_CONTEXT:])
        if self._tokenizer.decode(context).endswith("\N{REPLACEMENT CHARACTER}"):
            # The decoder would wait for the rest of the character, and then return text of the prompt.
            context = []
        self._decoder = DecodeStream(ids=context, skip_special_tokens=True)
        self._stop = tuple(stop)
        self._undecoded: list[int] = []
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
            self._undecoded.append(token_id)
            piece = self._decoder.step(self._tokenizer, token_id)
            if piece is not None:
                self._undecoded.clear()
                self._append(piece, stopping)
        held = 0 if self.stopped else possible_stop(self.text, self._stop)
        return self._release(len(self.text) - held)

    def finish(self) -> str:
        """End the text and release what is still held back, except the beginning of an incomplete character.

        Bytes that cannot begin a character become replacement characters.

        Returns:
            The newly released text, possibly empty.
        """
        if self._undecoded and not self.stopped:
            known, decoder = TokenBytes(self._whole_tokenizer), codecs.getincrementaldecoder("utf-8")("replace")
            self._append(decoder.decode(b"".join(map(known.of, self._undecoded))), stopping=True)
            self.incomplete = b"" if self.stopped else decoder.getstate()[0]
            self._undecoded.clear()
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
