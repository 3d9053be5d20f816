"""Calibration: choose a rule and its strength on validation scenarios, within a stated budget of lost function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosec.errors import StudyError
from cosec.evaluation.report.formatting import percent
from cosec.evaluation.report.frontier import Point
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.study.arms import ORIGIN, parse_arm


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The chosen arm and the reason."""

    point: Point
    """The arm on the frontier."""

    reason: str
    """One sentence with the numbers that decided."""


def choose(points: Sequence[Point], *, budget: float) -> Choice:
    """Choose the arm that gains most security among those whose function is at most ``budget`` below origin's.

    Gain and function are taken as measured. A gain compares the scenarios in which the arm and origin both engage, so
    that an arm gains nothing by avoiding scenarios. Arms that run one model alone are no candidates. Among arms of
    equal gain the one that changes fewer tokens wins.

    Args:
        points: Points of one benchmark, origin among them.
        budget: Function that may be lost, as a share; 0.01 is one percentage point.

    Raises:
        StudyError: If origin or every candidate is missing, or none keeps to the budget.
    """
    origin = next((one for one in points if one.arm == ORIGIN), None)
    candidates = [one for one in points if not one.alone and _gain(one) is not None]
    if origin is None or origin.function.value is None or not candidates:
        raise StudyError(
            "No rule can be chosen: security and function are not known for origin and at least one strength. "
            "The report shows which arms have no engaged completions; take more samples or scenarios."
        )
    least = origin.function.value - budget
    kept = [one for one in candidates if (one.function.value or 0.0) >= least - 1e-12]
    if not kept:
        best = max(candidates, key=lambda one: one.function.value or 0.0)
        raise StudyError(
            f"No candidate keeps function at {100 * least:.1f} % or more; the nearest is {best.arm} with"
            f" {100 * (best.function.value or 0.0):.1f} %. Raise --budget or try weaker strengths."
        )
    point = max(kept, key=lambda one: (_gain(one) or 0.0, -one.changed))
    return Choice(
        point=point,
        reason=(
            f"{point.arm}: secure of engaged {_shown(point.security)} against origin's {_shown(origin.security)}"
            f" ({_gained(point)}),"
            f" function {_shown(point.function)} against {_shown(origin.function)};"
            f" {len(kept)} of {len(candidates)} candidates keep to the budget of {100 * budget:g} points"
        ),
    )


def rule_toml(choice: Choice, results: Results) -> str:
    """The choice as the text of a recipe for ``cosec generate --recipe``."""
    lines = [f"# Chosen by cosec calibrate: {choice.reason}.", f"# Models: {results.manifest['identity']['models']}"]
    lines += ["[rule]"]
    for name, value in parse_arm(choice.point.arm).rule.items():
        lines.append(f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}")
    return "\n".join(lines) + "\n"


def _gain(point: Point) -> float | None:
    return None if point.gain is None else point.gain.value


def _gained(point: Point) -> str:
    units = 0 if point.gain is None else point.gain.units
    return f"{100 * (_gain(point) or 0.0):+.1f} points over the {units} scenarios in which both engage"


def _shown(interval: Interval) -> str:
    return f"{percent(interval)} %"
