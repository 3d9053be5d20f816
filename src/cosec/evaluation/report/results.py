"""The results of a study: everything that its report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosec.evaluation.judging.verdict import Verdict
from cosec.evaluation.report.audit.estimate import AuditCount
from cosec.evaluation.report.estimates import ALL, Estimate, Key
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.study.settings import StudySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSample:
    """A completion with its verdict, for pages that show samples."""

    benchmark: str
    arm: str
    task: str

    prompt: str
    """The code before the model's own, in the program that was judged."""

    text: str
    """The model's own code, perhaps with what follows its end."""

    marks: tuple[tuple[int, int], ...]
    """Start and length, in characters, of each part of the text that differs from the target's most likely token."""

    seed: int
    sample: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an arm generated on one benchmark."""

    tokens: int
    """Emitted tokens."""

    changed: int
    """Emitted tokens that differ from the most likely one, as in `Sample.changed`."""

    decisions: int
    """Emitted tokens that the rule treated as security decisions; 0 under rules that know none."""

    seconds: float
    """Time of generation, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that a report shows."""

    manifest: Mapping[str, Any]
    """The study's manifest."""

    settings: StudySettings
    """What the study computes."""

    against: str
    """The arm that differences are to."""

    estimates: tuple[Estimate, ...]
    """Every metric, by benchmark and arm in the study's order."""

    verdicts: Mapping[Key, tuple[Verdict, ...]]
    """Verdicts on scenarios, by benchmark and arm."""

    shown: tuple[ShownSample, ...]
    """Samples of the first seed, by benchmark, task and arm."""

    recorded: int
    """Completions that were judged."""

    expected: int
    """Completions of the finished study."""

    costs: Mapping[Key, Cost]
    """By benchmark and arm."""

    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Why a benchmark's prompts could not be read, by its name; no samples of these are shown."""

    audits: Mapping[Key, AuditCount] = field(default_factory=dict)
    """What people read of the secure verdicts, by benchmark and arm; only arms of which something was read."""

    def estimate(self, benchmark: str, arm: str, metric: str, cwe: str = ALL) -> Estimate | None:
        """One number, or None if it was not measured."""
        wanted = (benchmark, arm, metric, cwe)
        return next((one for one in self.estimates if (one.benchmark, one.arm, one.metric, one.cwe) == wanted), None)

    def interval(self, benchmark: str, arm: str, metric: str, cwe: str = ALL) -> Interval | None:
        """The interval of one number, or None if it was not measured."""
        found = self.estimate(benchmark, arm, metric, cwe)
        return found.interval if found else None

    def benchmarks(self) -> list[str]:
        """The benchmarks that were measured, in the study's order."""
        return list(dict.fromkeys(one.benchmark for one in self.estimates))

    def arms(self, benchmark: str) -> list[str]:
        """The arms that were measured on a benchmark, in the study's order."""
        return list(dict.fromkeys(one.arm for one in self.estimates if one.benchmark == benchmark))

    def cwes(self, benchmark: str) -> list[str]:
        """The weaknesses of a benchmark's scenarios, sorted; empty for function problems."""
        return sorted({one.cwe for one in self.estimates if one.benchmark == benchmark} - {ALL})
