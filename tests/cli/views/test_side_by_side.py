"""Completions in the terminal."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from cosec.cli.views.side_by_side import marked_text, panel
from cosec.decoding.completion.spans import Span
from cosec.decoding.trace import TokenOrigin, TokenRecord


def span(text: str, *, changed: bool, gated: bool = False) -> Span:
    record = TokenRecord(
        position=0, token_id=0, origin=TokenOrigin.TARGET, changed=changed, target_log_prob=-1.0, gated=gated
    )
    return Span(text, record)


def shown(view: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    with console.capture() as captured:
        console.print(view)
    return captured.get()


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
    assert "│ ␛[2Ja " in shown(panel("hardened", "\x1b[2J", [span("a", changed=False)], "1 token", colour=True), 40)


def test_a_title_that_does_not_fit_into_the_frame_is_wrapped_inside() -> None:
    title, footer = "hardened ─ the checks find no weakness", "96 tokens, 12 marked, 30/40 proposals accepted"
    view = panel(title, "x = ", [span("1", changed=False)], footer, colour=False)
    assert shown(view, 60).splitlines()[0].startswith(f"╭─ {title} ─")
    assert shown(view, 60).splitlines()[-1].startswith(f"╰─ {footer} ─")
    narrow = " ".join(line.strip("│ ") for line in shown(view, 30).splitlines()[1:-1])
    assert narrow == f"{title} x = 1 {footer}"
