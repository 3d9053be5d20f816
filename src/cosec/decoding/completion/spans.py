"""A completion as spans of text, one for each token; the views of a trace are drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosec.decoding.completer import Completion
from cosec.decoding.completion.text import TextStream
from cosec.decoding.trace import TokenRecord

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Span:
    """The text that one token added to a completion."""

    text: str
    """The text; empty for a token that holds only part of a character."""

    record: TokenRecord
    """The token's record."""


def spans_of(completion: Completion, tokenizer: PreTrainedTokenizerFast) -> list[Span]:
    """The completion's text, split at its tokens. Text after a stop text is left out."""
    stream = TextStream(tokenizer, ())
    spans: list[Span] = []
    room = len(completion.text)
    for record in completion.records:
        text = stream.feed([record.token_id])[:room]
        room -= len(text)
        spans.append(Span(text, record))
    return spans
