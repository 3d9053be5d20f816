"""One completion while it is decoded: its text and records, when it ends, and where it is cut.

This is the only place that decides when a completion ends. A completion ends at the first token after which one of
these holds:

- The token is a stop token: reason ``stop``; the token is recorded and has no text.
- A stop text is complete: reason ``stop``; the text is cut before it.
- A watcher reports the end of the code: reason ``stop``; the text is cut there.
- The completion has ``max_new_tokens`` tokens: reason ``length``.

Before ``min_new_tokens`` tokens neither a stop token nor a stop text ends it. :meth:`GrowingCompletion.cancel` ends it
at any time: reason ``cancelled``. Tokens after the end are dropped, so the result does not depend on how many tokens a
block has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cosec.decoding.completion.text import TextStream
from cosec.decoding.completion.watching import MakeWatcher
from cosec.decoding.trace import TokenRecord

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

FinishReason = Literal["stop", "length", "cancelled"]
"""Why a completion ended; see the module's docstring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConditions:
    """What ends a completion, apart from being cancelled."""

    stop_token_ids: frozenset[int]
    """Tokens that end the completion."""

    max_new_tokens: int
    """Maximum number of tokens."""

    stop: tuple[str, ...] = ()
    """Texts that end the completion."""

    min_new_tokens: int = 0
    """Number of tokens before which no stop token and no stop text ends the completion."""

    watcher: MakeWatcher | None = None
    """Makes the watcher of one completion; None when only the others end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a block added to a completion."""

    text: str
    """Newly released text, possibly empty. What may become a stop text, or be cut off, is released later."""

    records: tuple[TokenRecord, ...]
    """New tokens, including a stop token."""

    finish_reason: FinishReason | None
    """Set when the completion has ended."""

    stop_text: str | None = None
    """The stop text that ended the completion, if one did."""

    incomplete: bytes = b""
    """The bytes of the character that the end of the completion cut; they are not part of the text."""

    cut: bool = False
    """Whether the text ends before its last tokens, where the code ended."""


class GrowingCompletion:
    """The text and records of one completion, as its tokens arrive."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, prompt_ids: Sequence[int], ends: EndConditions) -> None:
        self._stream = TextStream(tokenizer, ends.stop)
        self._ends = ends
        self._watcher = ends.watcher and ends.watcher()
        self._cut: int | None = None
        self._released = 0
        self.prompt_tokens = len(prompt_ids)
        """Number of tokens of the prompt."""
        self.records: list[TokenRecord] = []
        """All tokens so far."""
        self.finish_reason: FinishReason | None = None
        """Set when the completion has ended."""

    @property
    def text(self) -> str:
        """The text so far, cut where the completion ended."""
        return self._stream.text[: self._cut]

    def take(self, records: Sequence[TokenRecord]) -> Growth:
        """Add the tokens of a block, up to the end of the completion."""
        before = len(self.records)
        for record in records:
            if self.finish_reason is not None:
                break
            self._take(record)
        return self._growth(before)

    def cancel(self) -> Growth:
        """End the completion where it is; a completion that has ended stays as it is."""
        if self.finish_reason is None:
            self.finish_reason = "cancelled"
            self._stream.finish()
        return self._growth(len(self.records))

    def _take(self, record: TokenRecord) -> None:
        self.records.append(record)
        may_stop = len(self.records) > self._ends.min_new_tokens
        if may_stop and record.token_id in self._ends.stop_token_ids:
            self.finish_reason = "stop"
        else:
            self._stream.feed([record.token_id], stopping=may_stop)
            if self._stream.stopped:
                self.finish_reason = "stop"
            elif len(self.records) == self._ends.max_new_tokens:
                self.finish_reason = "length"
        if self.finish_reason is not None:
            self._stream.finish()
        if self._watcher is not None:
            self._cut = self._watcher.place(self._stream.text)
            if self._cut is not None:
                self.finish_reason = "stop"

    def _growth(self, before: int) -> Growth:
        """What was added since the completion had ``before`` records."""
        stream, ended, text = self._stream, self.finish_reason is not None, self.text
        end = len(text) if ended else stream.released
        if not ended and self._watcher is not None:
            end = min(end, len(text) - self._watcher.held_back(text))
        released, self._released = text[self._released : end], max(self._released, end)
        return Growth(
            text=released,
            records=tuple(self.records[before:]),
            finish_reason=self.finish_reason,
            stop_text=stream.stop_text if ended else None,
            incomplete=stream.incomplete if ended else b"",
            cut=self._cut is not None,
        )
