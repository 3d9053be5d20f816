"""A completion as a program, with what extraction found out about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """One completion as a program."""

    program: str
    """Prompt and kept part of the completion. Meaningless if ``problem`` is set."""

    problem: str | None = None
    """Why the text is no program; None if it parses."""

    empty: bool = False
    """Whether the completion adds no statement that has an effect."""

    engaged: bool = False
    """Whether what the completion wrote or finished reaches one of the scenario's sinks; see `Scenario.sinks`."""

    normalised: str = ""
    """The code without comments, docstrings and layout. Equal for duplicates."""
