"""The frontier: security against function for every strength of every rule, as a table and a figure.

A frontier is a study whose arms are rules times strengths, with one security benchmark and one function benchmark.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from cosec.decoding.rules.schema import RENAMED, RULES
from cosec.evaluation.report.figures import COLOURS, errors, svg
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval
from cosec.evaluation.study.arms import ORIGIN

_STRENGTHS = {kind.strength_setting for kind in RULES.values() if kind.strength_setting is not None}
_STRENGTHS |= {old for old, new in RENAMED["settings"].items() if new in _STRENGTHS}
"""Names of the settings that are a rule's strength, with their old names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One arm on the frontier."""

    arm: str
    """Name of the arm."""

    alone: bool
    """Whether one model runs alone, without a rule."""

    security: Interval
    """Secure of engaged, over the scenarios in which the arm engages."""

    gain: Interval | None
    """Difference in security to origin, over the scenarios in which both engage; None for origin."""

    function: Interval
    """pass@1, or the rate of functional tests passed if there is no function benchmark."""

    joint: Interval | None
    """Functional, engaged and secure at once; None if it was not measured."""

    changed: float
    """Share of tokens that differ from the most likely one, as in `Sample.changed`."""

    decisions: float
    """Share of tokens treated as security decisions."""

    time_ratio: float | None
    """Seconds per token, divided by those of origin in the same study; None if origin was not measured."""

    @property
    def curve(self) -> str:
        """The rule that the point belongs to: its arm without the strength."""
        return _without_strength(self.arm)[0]

    @property
    def strength(self) -> str:
        """The strength as the arm gives it; empty if it gives none."""
        return _without_strength(self.arm)[1]


def points_of(results: Results, benchmark: str) -> list[Point]:
    """The arms of a scenario benchmark for which security and function were measured, in the study's order."""
    alone = {arm.name for arm in results.settings.decoding_arms() if arm.alone is not None}
    function_benchmark = next((one.benchmark for one in results.estimates if one.metric == "pass@1"), None)
    points = []
    for arm in results.arms(benchmark):
        security = results.estimate(benchmark, arm, "engaged_security")
        function = (
            results.estimate(function_benchmark, arm, "pass@1")
            if function_benchmark
            else results.estimate(benchmark, arm, "functional")
        )
        joint = results.estimate(benchmark, arm, "joint")
        if security is None or function is None or None in (security.interval.value, function.interval.value):
            continue
        cost, origin = results.costs[benchmark, arm], results.costs.get((benchmark, ORIGIN))
        points.append(
            Point(
                arm=arm,
                alone=arm in alone,
                security=security.interval,
                gain=security.difference,
                function=function.interval,
                joint=joint.interval if joint and joint.interval.value is not None else None,
                changed=cost.changed / max(1, cost.tokens),
                decisions=cost.decisions / max(1, cost.tokens),
                time_ratio=(cost.seconds / cost.tokens) / (origin.seconds / origin.tokens)
                if origin and origin.seconds and cost.tokens
                else None,
            )
        )
    return points


def points_csv(points: Sequence[Point]) -> str:
    """The points as CSV; rates are between 0 and 1."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    kinds = ("security", "function", "joint")
    writer.writerow(
        ["arm"]
        + [f"{kind}{suffix}" for kind in kinds for suffix in ("", "_low", "_high")]
        + ["changed_tokens", "decisions", "time_ratio"]
    )
    for one in points:
        intervals = (one.security, one.function, one.joint)
        writer.writerow(
            [one.arm]
            + [getattr(each, name, None) for each in intervals for name in ("value", "low", "high")]
            + [round(one.changed, 4), round(one.decisions, 4), one.time_ratio and round(one.time_ratio, 3)]
        )
    return stream.getvalue()


def frontier_figure(points: Sequence[Point], *, function_label: str) -> str | None:
    """Draw security against function, a curve for each rule, with bars for intervals.

    Args:
        points: Of one benchmark.
        function_label: Label of the horizontal axis.

    Returns:
        An SVG element, or None if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for index, curve in enumerate(dict.fromkeys(one.curve for one in points)):
        members = [one for one in points if one.curve == curve]
        xs = [100 * (one.function.value or 0.0) for one in members]
        ys = [100 * (one.security.value or 0.0) for one in members]
        colour = COLOURS[index % len(COLOURS)]
        alone = members[0].alone
        axes.plot(xs, ys, marker="s" if alone else "o", linestyle="" if alone else "-", color=colour, label=curve)
        for one, x, y in zip(members, xs, ys, strict=True):
            axes.errorbar(
                x, y, xerr=errors(one.function), yerr=errors(one.security), color=colour, elinewidth=0.6, alpha=0.45
            )
            if one.strength:
                axes.annotate(one.strength, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=7, color=colour)
    axes.set_xlabel(function_label)
    axes.set_ylabel("secure of engaged (%)")
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def _without_strength(arm: str) -> tuple[str, str]:
    """An arm without its strength, and that strength as it is written, empty if there is none."""
    head, _, rest = arm.partition(":")
    parts = [part.strip() for part in rest.split(",") if part.strip()]
    strengths = [part for part in parts if part.partition("=")[0].strip() in _STRENGTHS]
    others = ",".join(part for part in parts if part not in strengths)
    return (f"{head}:{others}" if others else head), strengths[0].partition("=")[2].strip() if strengths else ""
