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

ASKED = r"Secure? \[y]es, \[n]o, \[u]nclear, \[q]uit; a reason may follow: "
"""The question, in rich's markup."""

_ANSWERS: dict[str, bool | None] = {"y": True, "yes": True, "n": False, "no": False, "u": None, "unclear": None}


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
            f"Drawn with seed {seed}: {drawn} secure verdicts. Different programs: {len(questions)}. "
            f"Not yet read by {escape(reader)}: {len(left)}.",
            soft_wrap=True,
            highlight=False,
        )
        for number, question in enumerate(left, start=1):
            _show(question, console, f"{number} of {len(left)}")
            answer = _ask(console)
            if answer is None:
                console.print("Stopped; the same command continues.")
                return
            secure, reason = answer
            log.add([place for place in question.places if place not in read], secure, reason)


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


def _ask(console: Console) -> tuple[bool | None, str] | None:
    """Ask until the answer is understood; None to stop."""
    while True:
        try:
            said = console.input(ASKED).strip()
        except EOFError:
            return None
        word, _, reason = said.partition(" ")
        if word.lower() in ("q", "quit"):
            return None
        if word.lower() in _ANSWERS:
            return _ANSWERS[word.lower()], reason.strip()
