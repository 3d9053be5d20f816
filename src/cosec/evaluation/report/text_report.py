"""The report of a study as text: Markdown for readers, CSV for programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator

from cosec.evaluation.report.estimates import Estimate
from cosec.evaluation.report.formatting import (
    AUDIT_HEADINGS,
    UNSCORED_HEADINGS,
    audit_rows,
    correction,
    heading,
    markdown_table,
    percent,
    shown_metrics,
    unscored_rows,
)
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import in_words
from cosec.evaluation.study.judgements import judgements_of

HEADLINE = ("engaged_security", "corrected_security", "joint", "functional", "engaged", "parsable", "pass@1")
"""Metrics that a narrow terminal shows."""

DIFFERENCES = ("engaged_security", "corrected_security", "joint", "functional", "pass@1", "pass@10", "accepted")
"""Metrics whose differences the report shows."""


def table_csv(results: Results) -> str:
    """Every estimate as one row of CSV; an undefined value is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = ("value", "low", "high")
    writer.writerow(
        ["benchmark", "arm", "cwe", "metric", *names, "units", "undefined"] + [f"difference_{name}" for name in names]
    )
    for one in results.estimates:
        difference = [getattr(one.difference, name) if one.difference else None for name in names]
        writer.writerow(
            [one.benchmark, one.arm, one.cwe, one.metric]
            + [getattr(one.interval, name) for name in names]
            + [one.interval.units, one.interval.undefined, *difference]
        )
    return stream.getvalue()


def markdown(results: Results, metrics: Collection[str] | None = None) -> str:
    """The report as Markdown.

    Args:
        results: What to show.
        metrics: Show only these metrics; all if None.
    """
    return "\n".join(_lines(results, metrics)) + "\n"


def _lines(results: Results, metrics: Collection[str] | None) -> Iterator[str]:
    yield f"# {results.settings.name}"
    yield ""
    yield from summary_lines(results)
    for benchmark in results.benchmarks():
        yield ""
        yield f"## {benchmark}"
        yield ""
        yield from _rate_lines(results, benchmark, metrics)
        yield from _difference_lines(results, benchmark, metrics)
        yield from _weakness_lines(results, benchmark)
        yield from _unscored_lines(results, benchmark)
        yield from _audit_lines(results, benchmark)


def summary_lines(results: Results) -> Iterator[str]:
    """What the study ran, as a few list items in Markdown."""
    settings = results.settings
    identity = results.manifest["identity"]
    models = {**identity["models"], **identity.get("security_models_sha256", {})}
    yield "- models: " + ", ".join(f"{name} {_shortened(value)}" for name, value in models.items())
    yield f"- temperature {settings.temperature}, top-p {settings.top_p}, seeds {', '.join(map(str, settings.seeds))}"
    yield f"- {results.recorded} of {results.expected} completions judged" + (
        "" if results.recorded >= results.expected else " — **not finished**"
    )
    known = judgements_of(dict(results.manifest))
    again = f"; judgement {len(known)} of these completions" if len(known) > 1 else ""
    yield f"- judged by: {known[-1]['checkers']}{again}"
    tokens, seconds = (sum(getattr(one, name) for one in results.costs.values()) for name in ("tokens", "seconds"))
    yield f"- {tokens} tokens generated in {seconds:.0f} s"
    yield "- rates in percent, with bootstrap 95 % intervals over tasks and seeds; differences are paired"


def _shortened(identity: str) -> str:
    """Hashes by their first characters; other things as they are."""
    return re.sub(r"[0-9a-f]{64}", lambda found: found[0][:12], identity)


def _rate_lines(results: Results, benchmark: str, metrics: Collection[str] | None) -> Iterator[str]:
    shown = [one for one in shown_metrics(results, benchmark) if metrics is None or one in metrics]
    yield from markdown_table(
        ["arm", *map(heading, shown)],
        [
            [arm, *(percent(results.interval(benchmark, arm, metric)) for metric in shown)]
            for arm in results.arms(benchmark)
        ],
    )


def _difference_lines(results: Results, benchmark: str, metrics: Collection[str] | None) -> Iterator[str]:
    compared = {one.metric for one in results.estimates if one.benchmark == benchmark and one.difference}
    if not compared:
        return
    defined = shown_metrics(results, benchmark)
    shown = [one for one in DIFFERENCES if one in compared and one in defined and (metrics is None or one in metrics)]
    yield ""
    yield f"Differences to {results.against}, in percentage points{correction(results, benchmark)}:"
    yield ""
    yield from markdown_table(
        ["arm", *map(heading, shown)],
        [
            [arm, *(_difference(results.estimate(benchmark, arm, metric)) for metric in shown)]
            for arm in results.arms(benchmark)
            if arm != results.against
        ],
    )


def _weakness_lines(results: Results, benchmark: str) -> Iterator[str]:
    cwes, arms = results.cwes(benchmark), results.arms(benchmark)
    if not cwes:
        return
    yield ""
    yield "Secure of engaged, by weakness:"
    yield ""
    yield from markdown_table(
        ["weakness", *arms],
        [[cwe, *(percent(results.interval(benchmark, arm, "engaged_security", cwe)) for arm in arms)] for cwe in cwes],
    )


def _unscored_lines(results: Results, benchmark: str) -> Iterator[str]:
    if rows := unscored_rows(results, benchmark):
        yield ""
        yield "Completions that could not be judged, by arm:"
        yield ""
        yield from markdown_table(UNSCORED_HEADINGS, rows)


def _audit_lines(results: Results, benchmark: str) -> Iterator[str]:
    if rows := audit_rows(results, benchmark):
        yield ""
        yield "Secure verdicts on engaged completions that people read:"
        yield ""
        yield from markdown_table(AUDIT_HEADINGS, rows)


def _difference(estimate: Estimate | None) -> str:
    return in_words(estimate.simultaneous) if estimate is not None and estimate.simultaneous is not None else "-"
