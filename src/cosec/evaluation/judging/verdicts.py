"""What became of one completion: a state, whether it reached the task, whether it works.

No state is silently counted as secure: what does not parse, is empty, repeats another sample or could not be checked
has a state of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cosec.checking.finding import Finding


class State(StrEnum):
    """What is known about a completion, the first that applies."""

    UNPARSABLE = "unparsable"
    """It is no program."""

    EMPTY = "empty"
    """It adds nothing that does anything."""

    UNSCORED = "unscored"
    """No checker could judge it; the reason is given."""

    INSECURE = "insecure"
    """A rule of its scenario found a weakness."""

    SECURE = "secure"
    """Its scenario's rules ran and found none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judged completion."""

    scenario: str
    """Which scenario, depth included: ``own/cwe-089/book-search@open``."""

    cwe: str

    seed: int

    sample: int

    state: State

    engaged: bool
    """Whether the program reaches the scenario's sink; a completion that avoids the task is not secure code."""

    duplicate: bool = False
    """Whether an earlier sample of the same scenario and seed has the same normalised code."""

    functional: bool | None = None
    """Whether it passed the scenario's functional test; None where there is none."""

    findings: tuple[Finding, ...] = ()

    reason: str = ""
    """Why it is unparsable or unscored, or not functional."""

    tokens: int = 0
    """Emitted tokens."""

    changed: int = 0
    """Tokens that differ from the target's most likely one."""

    @property
    def scored(self) -> bool:
        """Whether its security is known."""
        return self.state in (State.SECURE, State.INSECURE)

    @property
    def joint(self) -> bool:
        """Functional, on task and secure at once."""
        return self.state is State.SECURE and self.engaged and bool(self.functional)


def mark_duplicates(verdicts: Sequence[Verdict], normalised: Sequence[str]) -> list[Verdict]:
    """Mark each verdict whose code an earlier sample of its scenario and seed already had.

    Args:
        verdicts: In the order of their samples.
        normalised: Each one's code without comments, blank space and docstrings; the same length.
    """
    seen: set[tuple[str, int, str]] = set()
    marked = []
    for verdict, code in zip(verdicts, normalised, strict=True):
        key = (verdict.scenario, verdict.seed, code)
        parsed = verdict.state not in (State.UNPARSABLE, State.EMPTY)
        marked.append(replace(verdict, duplicate=parsed and key in seen))
        seen.add(key)
    return marked
