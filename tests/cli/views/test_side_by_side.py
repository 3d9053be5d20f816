"""Completions in the terminal."""

from __future__ import annotations

from rich.text import Text

from cosec.cli.views.side_by_side import marked_text, panel
from cosec.decoding.completion.spans import Span
from cosec.decoding.trace import TokenOrigin, TokenRecord


def span(text: str, *, changed: bool, gated: bool = False) -> Span:
    record = TokenRecord(
        position=0, token_id=0, origin=TokenOrigin.TARGET, changed=changed, target_log_prob=-1.0, gated=gated
    )
    return Span(text, record)


def test_neighbouring_tokens_share_a_mark_and_decisions_have_their_own() -> None:
    spans = [span("a", changed=False), span("b", changed=True), span("c", changed=True)]
    assert marked_text(spans, colour=False).plain == "a«bc»"
    assert marked_text([*spans, span("d", changed=True, gated=True)], colour=False).plain == "a«bc»⟦d⟧"


def test_tokens_without_text_have_no_mark() -> None:
    spans = [span("a", changed=False), span("", changed=True), span("", changed=False), span("", changed=True)]
    assert marked_text(spans, colour=False).plain == "a"


def test_a_terminal_is_not_told_to_obey_control_characters() -> None:
    written = marked_text([span("\x1b[31m", changed=True), span("\tx\x9b\n", changed=False)], colour=False)
    assert written.plain == "«␛[31m»\tx\ufffd\n"
    body = panel("hardened", "\x1b[2J", [span("a", changed=False)], "1 token", colour=True).renderable
    assert isinstance(body, Text)
    assert body.plain == "␛[2Ja"
