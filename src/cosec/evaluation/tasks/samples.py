"""Samples: completions of a task, as a generator returns them and as a study records them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One completion of one task."""

    task: str
    """Id of the task."""

    sample: int
    """Index among the task's samples under one seed."""

    text: str
    """The completion, without the prompt."""

    finish_reason: str
    """``stop`` or ``length``."""

    tokens: int
    """Emitted tokens."""

    drafted: int = 0
    """Proposals of the security model at emitted tokens."""

    accepted: int = 0
    """Proposals that were accepted."""

    changed: int = 0
    """Emitted tokens that differ from the most likely token of the target.

    If the security model decodes alone, its own most likely token is meant. An endpoint does not tell; there it is 0.
    """

    decisions: int = 0
    """Emitted tokens that the rule treated as security decisions."""

    marks: tuple[tuple[int, int], ...] = ()
    """Start and length, in characters, of each part of the text whose token is `changed`."""

    seconds: float = 0.0
    """Share of the wall time of the steps that decoded it. The only field that differs between runs with one seed."""
