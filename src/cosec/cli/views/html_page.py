"""Completions as one self-contained HTML page: changed tokens marked, the numbers of every token on hover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cosec.decoding.completion.spans import Span
from cosec.decoding.trace import TokenOrigin, summary

_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { max-width: 100rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.45; }
section { margin-block: 2rem; } .arms { display: flex; gap: 1rem; flex-wrap: wrap; }
article { flex: 1 1 30rem; min-width: 0; border: 1px solid #8888; border-radius: 6px; padding: .75rem 1rem; }
h3 { margin: 0 0 .5rem; font-size: 1rem; } footer { font-size: .85rem; opacity: .75; margin-top: .5rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: .85rem/1.5 ui-monospace, monospace; }
.prompt { opacity: .6; } span[tabindex]:hover, span[tabindex]:focus { outline: 1px solid currentColor; }
.changed { background: #ffd54f; color: #000; } .target { text-decoration: underline dotted; }
.decision { background: #1565c0; color: #fff; }
.legend { font-size: .9rem; } .legend span { padding: 0 .3em; }
"""
_LEGEND = (
    '<p class="legend"><span class="changed">marked</span> differs from the target\'s most likely token. '
    '<span class="decision">blue</span> a security decision of the gate. '
    '<span class="target">underlined</span> the target overruled the security model. '
    "Hover or tab to a token for its numbers."
    "</p>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One completion to show."""

    prompt_index: int
    """Completions of one prompt are shown together."""

    title: str
    """Arm and sample, as the heading of the completion."""

    prompt: str
    """The whole prompt."""

    spans: Sequence[Span]
    """Tokens of the completion with their records."""


def html_page(title: str, completions: Sequence[Shown]) -> str:
    """Lay out the page; every text is escaped.

    Args:
        title: Title of the page.
        completions: What to show, in this order within each prompt.
    """
    sections = []
    for prompt_index in dict.fromkeys(shown.prompt_index for shown in completions):
        members = [shown for shown in completions if shown.prompt_index == prompt_index]
        articles = "".join(_article(shown) for shown in members)
        sections.append(
            f'<section><h2>Prompt {prompt_index}</h2><pre class="prompt">{escape(members[0].prompt)}</pre>'
            f'<div class="arms">{articles}</div></section>'
        )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{_LEGEND}"
        f"{''.join(sections)}</body></html>\n"
    )


def _article(shown: Shown) -> str:
    totals = summary(span.record for span in shown.spans)
    figures = f"{totals.tokens} tokens" + f", {totals.changed} changed" * totals.target_asked
    if totals.drafted:
        figures += f", {totals.accepted} of {totals.drafted} proposals accepted"
    if any(span.record.gated is not None for span in shown.spans):
        figures += f", {totals.decisions} security decisions"
    body = "".join(_token(span) for span in shown.spans)
    return f"<article><h3>{escape(shown.title)}</h3><pre>{body}</pre><footer>{figures}</footer></article>"


def _token(span: Span) -> str:
    if not span.text:
        return ""
    record = span.record
    overruled = record.proposed_id is not None and record.origin is TokenOrigin.TARGET
    marks = (
        ("decision", bool(record.gated)),
        ("changed", bool(record.changed) and not record.gated),
        ("target", overruled),
    )
    classes = " ".join(name for name, on in marks if on)
    facts = [f"chosen by: {record.origin}"]
    if record.target_log_prob is not None:
        facts.append(f"target: {math.exp(record.target_log_prob):.4f}")
    if record.security_log_prob is not None:
        facts.append(f"security model: {math.exp(record.security_log_prob):.4f}")
    if record.acceptance_ratio is not None:
        facts.append(f"ratio of the proposal: {record.acceptance_ratio:.3f}")
    if record.divergence is not None:
        facts.append(f"divergence: {record.divergence:.3f}{' (security decision)' if record.gated else ''}")
    attributes = f' class="{classes}"' if classes else ""
    return f'<span{attributes} tabindex="0" title="{escape(" · ".join(facts))}">{escape(span.text)}</span>'
