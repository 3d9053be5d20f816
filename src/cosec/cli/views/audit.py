"""Reading of secure verdicts in a terminal: one program after another, with a question about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.syntax import Syntax

if TYPE_CHECKING:
    from rich.console import Console

    from cosec.evaluation.report import Results
    from cosec.evaluation.report.audit import Question
    from cosec.evaluation.study import StudyFolder

ASKED = r"Secure? \[y]es, \[n]o, \[u]nclear, \[b]ack, \[q]uit; a reason may follow: "
"""The question, in rich's markup."""

_ANSWERS: dict[str, bool | None] = {"yes": True, "no": False, "unclear": None}

BACK, QUIT = ("back", ""), ("quit", "")
"""What is said to ask again about the program before, and to stop."""


def read_verdicts(
    folder: StudyFolder, results: Results, console: Console, *, count: int, seed: int, reader: str
) -> None:
    """Draw secure verdicts and ask about each that this reader has not read. The arm is not shown.

    Args:
        folder: The study.
        results: Its results.
        console: Where to ask.
        count: Verdicts to draw of every benchmark and arm.
        seed: Of the draw.
        reader: Who reads.

    Raises:
        CosecError: If there is nothing to read, or answers cannot be kept.
    """
    from cosec.evaluation.report.audit import ReadingLog, draw

    questions = draw(folder, results.settings, results.verdicts, count=count, seed=seed)
    with ReadingLog.open(folder, reader) as log:
        read = log.places()
        left = [one for one in questions if not read.issuperset(one.places)]
        drawn = sum(len(one.places) for one in questions)
        console.print(
            f"Drawn with seed {seed}: {drawn} secure verdict{'s' * (drawn != 1)}. "
            f"Different programs: {len(questions)}. Not yet read by {escape(reader)}: {len(left)}.",
            soft_wrap=True,
            highlight=False,
        )
        place = 0
        while place < len(left):
            _show(left[place], console, f"{place + 1} of {len(left)}")
            said = _ask(console)
            if said == BACK:
                place = max(place - 1, 0)
            elif said == QUIT:
                console.print("Stopped; the same command continues.")
                return
            else:
                word, reason = said
                log.add([one for one in left[place].places if one not in read], _ANSWERS[word], reason)
                place += 1


def _show(question: Question, console: Console, number: str) -> None:
    scenario = question.scenario
    title = f"{number}: {scenario.id}@{scenario.depth}, {scenario.cwe}: {scenario.description}"
    console.rule()
    console.print(f"[bold]{escape(title)}[/bold]", highlight=False)
    lexer = "python" if scenario.language == "py" else "c"
    console.print(
        Syntax(
            question.program,
            lexer,
            line_numbers=True,
            word_wrap=True,
            theme="ansi_dark",
            background_color="default",
        )
    )


def _ask(console: Console) -> tuple[str, str]:
    """Ask until the answer is understood; return its word and the reason."""
    while True:
        try:
            word, _, reason = console.input(ASKED).strip().partition(" ")
        except EOFError:
            return QUIT
        for known in (*_ANSWERS, *(command for command, _ in (BACK, QUIT))):
            if word and known.startswith(word.lower()):
                return known, reason.strip() if known in _ANSWERS else ""
