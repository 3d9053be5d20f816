"""From token ids to text while they arrive: whole characters only, and nothing that may still become a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers.decoders import DecodeStream
from transformers import PreTrainedTokenizerFast

_CONTEXT = 4
"""Prompt tokens shown to the decoder, so that a leading space of the completion survives."""


class TextStream:
    """The text of one completion as it grows."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, prompt_ids: Sequence[int], stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer.backend_tokenizer
        context = list(prompt_ids[-_CONTEXT:])
        if self._tokenizer.decode(context).endswith("\N{REPLACEMENT CHARACTER}"):
            context = []  # the decoder would wait for the rest of a character and then show the prompt's text
        self._decoder = DecodeStream(ids=context, skip_special_tokens=True)
        self._stop = tuple(stop)
        self._released = 0
        self._undecoded: list[int] = []
        self.text = ""
        """Everything decoded so far, cut before the first stop text."""
        self.stopped = False
        """Whether a stop text was met."""

    def feed(self, token_ids: Sequence[int]) -> str:
        """Add tokens; the text that became certain."""
        for token_id in token_ids:
            if self.stopped:
                break
            self._undecoded.append(token_id)
            piece = self._decoder.step(self._tokenizer, token_id)
            if piece is not None:
                self._undecoded.clear()
                self._append(piece)
        return self._release(len(self.text) if self.stopped else len(self.text) - self._held_back())

    def finish(self) -> str:
        """The text still held back; bytes that never became a character come out as replacement characters."""
        if self._undecoded and not self.stopped:
            self._append(self._tokenizer.decode(self._undecoded, skip_special_tokens=True))
            self._undecoded.clear()
        return self._release(len(self.text))

    def _append(self, piece: str) -> None:
        searched_from = max(0, len(self.text) - max((len(stop) for stop in self._stop), default=0))
        self.text += piece
        found = [
            (place + len(stop), place) for stop in self._stop if (place := self.text.find(stop, searched_from)) >= 0
        ]
        if found:  # the one that is complete first wins, however the text was split into tokens
            self.text = self.text[: min(found)[1]]
            self.stopped = True

    def _held_back(self) -> int:
        """Length of the longest tail that could be the beginning of a stop text."""
        return max(
            (size for stop in self._stop for size in range(1, len(stop)) if self.text.endswith(stop[:size])), default=0
        )

    def _release(self, end: int) -> str:
        piece = self.text[self._released : end]
        self._released = max(self._released, end)
        return piece
