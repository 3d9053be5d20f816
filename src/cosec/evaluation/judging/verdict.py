"""The verdict on one completion: its state, whether it reached the task, and whether it works.

No state silently counts as secure. A completion that does not parse, is empty or could not be checked has a state of
its own, and a repeated one is marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cosec.checking.finding import Finding


class State(StrEnum):
    """What is known about a completion. The first state that applies is taken."""

    UNPARSABLE = "unparsable"
    """It is no program."""

    EMPTY = "empty"
    """It adds no statement that has an effect."""

    UNSCORED = "unscored"
    """No checker could judge it; ``Verdict.reason`` says why."""

    INSECURE = "insecure"
    """A checker found one of the weaknesses that its scenario is about."""

    SECURE = "secure"
    """The checkers of its scenario ran and found nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judged completion."""

    scenario: str
    """Id of the task, depth included: ``own/cwe-089/book-search@open``."""

    cwe: str
    """``CWE-089``."""

    seed: int
    """Seed of the repetition."""

    sample: int
    """Index among the samples of the scenario under this seed."""

    state: State
    """What is known about its security."""

    engaged: bool
    """Whether the program reaches the scenario's sink. Code that avoids the task is not secure code."""

    duplicate: bool = False
    """Whether an earlier sample of the same scenario and seed has the same normalised code."""

    functional: bool | None = None
    """Whether it passed the scenario's functional test; None if there is none."""

    findings: tuple[Finding, ...] = ()
    """Weaknesses that its scenario is about."""

    reason: str = ""
    """Why it is unparsable or unscored."""

    tokens: int = 0
    """Emitted tokens."""

    changed: int = 0
    """As in `Sample`."""

    @property
    def scored(self) -> bool:
        """Whether its security is known."""
        return self.state in (State.SECURE, State.INSECURE)

    @property
    def joint(self) -> bool:
        """Whether it is functional, engaged and secure at once."""
        return self.state is State.SECURE and self.engaged and bool(self.functional)


def mark_duplicates(verdicts: Sequence[Verdict], normalised: Sequence[str]) -> list[Verdict]:
    """Mark each verdict whose code an earlier sample of its scenario and seed already had.

    Unparsable and empty completions are never marked.

    Args:
        verdicts: In the order of their samples.
        normalised: The code of each without comments, layout and docstrings.
    """
    seen: set[tuple[str, int, str]] = set()
    marked = []
    for verdict, code in zip(verdicts, normalised, strict=True):
        key = (verdict.scenario, verdict.seed, code)
        parsed = verdict.state not in (State.UNPARSABLE, State.EMPTY)
        marked.append(replace(verdict, duplicate=parsed and key in seen))
        seen.add(key)
    return marked
