"""Figures of a study as SVG: security by weakness, and security against function, with intervals."""

from __future__ import annotations

import io
from typing import Any

from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval

COLOURS = ("#6b7280", "#2563eb", "#16a34a", "#d97706", "#9333ea", "#dc2626", "#0891b2", "#4d7c0f")
"""Colours of arms and curves, in order."""


def figures_of(results: Results) -> dict[str, str]:
    """SVG elements by name; empty if matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return {}
    mpl.use("Agg")
    drawn: dict[str, str] = {}
    for benchmark in results.benchmarks():
        if results.estimate(benchmark, results.arms(benchmark)[0], "engaged_security") is None:
            continue
        pictures = {
            "by-weakness": _by_weakness(results, benchmark),
            "security-function": _security_against_function(results, benchmark),
        }
        drawn |= {f"{benchmark}-{name}": picture for name, picture in pictures.items() if picture is not None}
    return drawn


def _by_weakness(results: Results, benchmark: str) -> str | None:
    """A bar for each arm and weakness, or None if no completion engaged."""
    from matplotlib.figure import Figure

    arms, cwes = results.arms(benchmark), results.cwes(benchmark)
    figure = Figure(figsize=(min(12.0, max(6.0, 0.24 * len(arms) * len(cwes) + 2)), 3.6), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(arms)
    for index, arm in enumerate(arms):
        for place, cwe in enumerate(cwes):
            interval = results.interval(benchmark, arm, "engaged_security", cwe)
            if interval is None or interval.value is None:
                continue
            left = place + (index - (len(arms) - 1) / 2) * width
            axes.bar(left, 100 * interval.value, width, color=COLOURS[index % len(COLOURS)], label=arm)
            _bar(axes, left, interval)
    if not axes.containers:
        return None
    _name_arms(axes)
    axes.set_xlim(-0.6, len(cwes) - 0.4)
    axes.set_xticks(range(len(cwes)), cwes, rotation=45, ha="right", fontsize=8)
    axes.set_ylabel("secure of engaged (%)")
    axes.set_ylim(0, 105)
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def _security_against_function(results: Results, benchmark: str) -> str | None:
    """One point for each arm, or None if nothing about function was measured.

    Function is pass@1 if the study has function problems, else the rate of functional tests passed.
    """
    from matplotlib.figure import Figure

    other = next((one.benchmark for one in results.estimates if one.metric == "pass@1"), None)
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    points = 0
    for index, arm in enumerate(results.arms(benchmark)):
        security = results.interval(benchmark, arm, "engaged_security")
        function = results.interval(other, arm, "pass@1") if other else results.interval(benchmark, arm, "functional")
        if security is None or function is None or security.value is None or function.value is None:
            continue
        points += 1
        x, y = 100 * function.value, 100 * security.value
        colour = COLOURS[index % len(COLOURS)]
        across, along = errors(function), errors(security)
        axes.errorbar(x, y, xerr=across, yerr=along, fmt="o", color=colour, elinewidth=0.8, capsize=2, label=arm)
    if not points:
        return None
    _name_arms(axes)  # names beside the points would overlap
    axes.set_xlabel("pass@1 (%)" if other else "functional tests passed (%)")
    axes.set_ylabel("secure of engaged (%)")
    axes.spines[["top", "right"]].set_visible(False)
    return svg(figure)


def _name_arms(axes: Any) -> None:
    """Add a legend above the axes, with each arm once, in as many columns as fit into the figure."""
    handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    column = 0.06 * max(len(name) for name in handles) + 0.5  # inches of a name and its mark at this size
    columns = min(4, len(handles), int(axes.figure.get_figwidth() / column))
    axes.figure.legend(handles.values(), handles.keys(), fontsize=7, ncols=max(1, columns), loc="outside upper center",
                       frameon=False)  # fmt: skip


def errors(interval: Interval) -> list[list[float]] | None:
    """Lengths of an error bar below and above the value, in percent, as matplotlib takes them."""
    if interval.value is None or interval.low is None or interval.high is None:
        return None
    return [[100 * max(0.0, interval.value - interval.low)], [100 * max(0.0, interval.high - interval.value)]]


def _bar(axes: Any, left: float, interval: Interval) -> None:
    reach = errors(interval)
    if reach is not None and interval.value is not None:
        axes.errorbar(left, 100 * interval.value, yerr=reach, color="#111827", elinewidth=0.8, capsize=1.5)


def svg(figure: Any) -> str:
    """The matplotlib figure as an SVG element, byte for byte the same for the same data."""
    from matplotlib import rc_context

    stream = io.StringIO()
    # Without a date and with fixed ids, the same study gives the same file.
    with rc_context({"svg.hashsalt": "cosec"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
