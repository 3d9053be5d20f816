"""How reports write numbers: percentages, column headings and tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cosec.evaluation.judging.verdict import State
from cosec.evaluation.report.estimates import ALL
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import Interval, simultaneous_level

HEADINGS = {
    "engaged_security": "secure of engaged",
    "corrected_security": "secure of engaged, corrected by reading",
    "security": "secure (Eq. 2)",
    "sample_security": "secure, with duplicates",
    "joint": "works and secure",
    "functional": "works",
    "engaged": "engaged",
    "parsable": "parses",
    "empty": "empty",
    "duplicate": "duplicate",
    "unscored": "unscored",
    "changed_tokens": "changed tokens",
    "accepted": "accepted proposals",
}
"""Column headings of metrics; a metric that is not listed is its own heading."""


def heading(metric: str) -> str:
    """The column heading of a metric."""
    return HEADINGS.get(metric, metric)


def percent(interval: Interval | None) -> str:
    """``61.3 [55.0, 67.1]``, in percent; a dash if it is undefined."""
    if interval is None or interval.value is None:
        return "-"
    value = f"{100 * interval.value:.1f}"
    return value if interval.low is None else f"{value} [{100 * interval.low:.1f}, {100 * (interval.high or 0):.1f}]"


def shown_metrics(results: Results, benchmark: str) -> list[str]:
    """The metrics of a benchmark that at least one arm defines, in the order of their columns."""
    defined = [
        one.metric
        for one in results.estimates
        if one.benchmark == benchmark and one.cwe == ALL and one.interval.value is not None
    ]
    return list(dict.fromkeys(defined))


def correction(results: Results, benchmark: str) -> str:
    """How the intervals of a benchmark's differences are corrected for the number of arms; empty for a single one."""
    arms = len(results.arms(benchmark)) - 1
    if arms < 2:
        return ""
    return f", with intervals of {100 * simultaneous_level(arms):.4g} % that hold together for {arms} arms (Bonferroni)"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---' for _ in headings)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


REASONS_SHOWN = 4
"""Reasons for unscored completions that a report names; the others are counted together."""


def unscored_rows(results: Results, benchmark: str) -> list[list[str]]:
    """Cells of a table of unscored completions: arm, their number, and the reasons, most frequent first.

    Empty if every completion was judged, or the benchmark has no scenarios.
    """
    rows = []
    for arm in results.arms(benchmark):
        verdicts = results.verdicts.get((benchmark, arm), ())
        reasons = Counter(one.reason for one in verdicts if one.state is State.UNSCORED)
        named = reasons.most_common(REASONS_SHOWN)
        shown = [f"{count} x {reason}" for reason, count in named]
        if (others := reasons.total() - sum(count for _, count in named)) > 0:
            shown.append(f"{others} x other reasons")
        rows.append([arm, f"{reasons.total()} of {len(verdicts)}", "; ".join(shown) or "-"])
    return rows if any(row[2] != "-" for row in rows) else []


def audit_rows(results: Results, benchmark: str) -> list[list[str]]:
    """Cells of a table of what people read: arm, then numbers of verdicts; empty if nothing was read."""
    return [
        [arm, *map(str, (one.secure, one.read, one.right, one.unclear, one.disputed))]
        for arm in results.arms(benchmark)
        if (one := results.audits.get((benchmark, arm))) is not None
    ]


UNSCORED_HEADINGS = ("arm", "unscored", "reasons")
"""Column headings of `unscored_rows`."""

AUDIT_HEADINGS = ("arm", "secure verdicts", "read", "secure as read", "cannot tell", "readers disagree")
"""Column headings of `audit_rows`."""
