"""A completion put together as its tokens arrive: text and records kept in step, both cut where it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from cosec.decoding.completion.text import TextStream
from cosec.decoding.engine import FinishReason
from cosec.decoding.trace import TokenRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a block added to a completion, as far as it belongs to it."""

    text: str
    """New text, possibly empty: what may still become a stop text is held back."""

    records: tuple[TokenRecord, ...]
    """New tokens, the stop token included."""

    finish_reason: FinishReason | None
    """Set when the completion is done; a stop text ends it before the engine does."""


class GrowingCompletion:
    """One completion under way."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        prompt_ids: Sequence[int],
        stop: Sequence[str],
        stop_token_ids: frozenset[int],
    ) -> None:
        self._stream = TextStream(tokenizer, prompt_ids, stop)
        self._stop_token_ids = stop_token_ids
        self.records: list[TokenRecord] = []
        """Every token so far."""

    @property
    def text(self) -> str:
        """The text so far, without the stop text."""
        return self._stream.text

    def take(self, records: Sequence[TokenRecord], finish_reason: FinishReason | None) -> Growth:
        """Add a block's tokens; what was drafted beyond a stop text is no part of the completion."""
        text, kept = "", 0
        for record in records:
            if self._stream.stopped:
                break
            if record.token_id not in self._stop_token_ids:
                text += self._stream.feed([record.token_id])
            kept += 1
        self.records.extend(records[:kept])
        if self._stream.stopped:
            finish_reason = "stop"
        if finish_reason is not None:
            text += self._stream.finish()
        return Growth(text=text, records=tuple(records[:kept]), finish_reason=finish_reason)
