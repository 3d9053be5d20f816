"""Completions in the terminal: origin and hardened side by side, changed tokens marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cosec.decoding.completion.spans import Span

CHANGED_STYLE = "bold black on yellow"
"""Style of tokens other than the target's most likely one."""

DECISION_STYLE = "bold white on blue"
"""Style of security decisions."""

_CONTROLS: Mapping[int, int] = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n\r"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}
"""Signs for control characters, which a terminal would obey."""


def marked_text(spans: Sequence[Span], *, colour: bool) -> Text:
    """Mark changed tokens and security decisions by colour, or with « » and ⟦ ⟧ if there is no colour.

    A decision is marked as a decision whether or not it changed the token. Tokens without text, such as those after the
    end of the completion, have no mark. Control characters are shown as signs.
    """
    text = Text()
    for (decision, changed), group in groupby((span for span in spans if span.text), key=_marks):
        piece = "".join(span.text for span in group).translate(_CONTROLS)
        if colour and (decision or changed):
            text.append(piece, style=DECISION_STYLE if decision else CHANGED_STYLE)
        elif decision:
            text.append(f"⟦{piece}⟧")
        else:
            text.append(f"«{piece}»" if changed else piece)
    return text


def _marks(span: Span) -> tuple[bool, bool]:
    """Whether a token is a security decision, and whether it is known to be changed."""
    return bool(span.record.gated), bool(span.record.changed)


@dataclass(frozen=True, slots=True)
class _Framed:
    """A text in a frame. What does not fit into the frame's upper or lower edge has lines of its own inside."""

    title: str
    body: Text
    footer: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - len("╭─  ─╮")
        above, below = (None if cell_len(told) <= room else Text(told) for told in (self.title, self.footer))
        yield Panel(
            Group(*(part for part in (above, self.body, below) if part is not None)),
            title=Text(self.title) if above is None else None,
            subtitle=Text(self.footer) if below is None else None,
            title_align="left",
            subtitle_align="left",
        )


def panel(title: str, prompt_tail: str, spans: Sequence[Span], footer: str, *, colour: bool) -> RenderableType:
    """Frame one completion, after the last line of its prompt."""
    body = Text(prompt_tail.translate(_CONTROLS), style="dim")
    body.append_text(marked_text(spans, colour=colour))
    return _Framed(title, body, footer)


def side_by_side(left: RenderableType, right: RenderableType) -> Table:
    """Put two views next to each other in equal halves."""
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    table.add_row(left, right)
    return table


def terminal() -> Console:
    """Create a console on standard output; 120 columns if the output is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        return Console(highlight=False, width=120, no_color=True)
    return console
