"""A completion as spans of text, each with the record of the token it came from; what every view of a trace draws."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedTokenizerFast

from cosec.decoding.completer import Completion
from cosec.decoding.completion.text import TextStream
from cosec.decoding.trace import TokenRecord


@dataclass(frozen=True, slots=True)
class Span:
    """The text that one token added."""

    text: str
    """Possibly empty: a token may hold a part of a character only."""

    record: TokenRecord
    """Who chose the token, and how."""


def spans_of(completion: Completion, tokenizer: PreTrainedTokenizerFast) -> list[Span]:
    """The completion's text cut at its tokens, without what lies behind a stop text."""
    stream = TextStream(tokenizer, (), ())
    spans: list[Span] = []
    room = len(completion.text)
    for record in completion.records:
        text = stream.feed([record.token_id])[:room]
        room -= len(text)
        spans.append(Span(text, record))
    return spans
