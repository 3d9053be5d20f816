"""From a model's raw text to a program: cut where the function ends, parsed, normalised, and looked at for its sink.

What a language needs is in ``python_program.py`` and ``c_program.py``; this file says what both give. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cosec.checking.patterns import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One completion as a program."""

    program: str
    """Prompt and kept part of the completion; of no use where ``problem`` is set."""

    problem: str | None = None
    """Why it is no program; None where it parses."""

    empty: bool = False
    """The completion adds no statement that does anything."""

    engaged: bool = False
    """One of the scenario's sinks is reached by what the completion wrote or finished; see `Scenario.sinks`."""

    normalised: str = ""
    """The code without comments, docstrings and layout: equal for duplicates."""


def extract(prompt: str, completion: str, *, language: Language, sinks: Collection[str] = ()) -> Extracted:
    """Cut ``completion`` at the end of the function that the prompt left open and look at what is left.

    A completion that was cut off at its token limit keeps its complete statements: open blocks are closed without
    adding anything that runs. Text that parses nowhere is a problem, never an empty program.

    Args:
        prompt: The text that the model continued.
        completion: What it wrote.
        language: Of both.
        sinks: See `Scenario.sinks`.
    """
    if language == "py":
        from cosec.evaluation.extraction.python_program import extract_python

        return extract_python(prompt, completion, sinks)
    from cosec.evaluation.extraction.c_program import extract_c

    return extract_c(prompt, completion, sinks)
