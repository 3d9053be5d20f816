"""A study's report: ``report.md``, ``report.csv`` and figures, from its results; the page is made by report_page.py."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from cosec.evaluation.judging.judgements import judgements
from cosec.evaluation.judging.verdicts import State
from cosec.evaluation.report.intervals import Interval, in_words
from cosec.evaluation.report.results import ALL, Figure, Results, read_results
from cosec.evaluation.study.records import StudyFolder, write_whole

COLUMNS = {
    "engaged_security": "secure of engaged",
    "security": "secure (Eq. 2)",
    "sample_security": "secure, with duplicates",
    "joint": "works and secure",
    "functional": "works",
    "engaged": "engaged",
    "parsable": "parses",
    "empty": "empty",
    "duplicate": "duplicate",
    "unscored": "unscored",
    "changed_tokens": "tokens changed",
    "accepted": "proposals that stand",
}
"""Heading of each rate."""


def write_report(folder: StudyFolder, results: Results | None = None) -> list[Path]:
    """Write the report of a study, finished or not, into its folder; the files written.

    Args:
        folder: The study.
        results: Its results, where they were read already.

    Raises:
        StudyError: If nothing was judged yet, or the folder cannot be written.
    """
    from cosec.evaluation.report.figures import figures_of
    from cosec.evaluation.report.page import page
    from cosec.evaluation.report.paper_tables import paper_lines

    results = results or read_results(folder)
    drawn = figures_of(results)
    text = markdown(results) + "\n" + "\n".join(paper_lines(results)) + "\n"
    texts = {"report.md": text, "report.csv": table_csv(results), "report.html": page(results, drawn)}
    written = []
    for name, text in {**texts, **{f"{name}.svg": svg for name, svg in drawn.items()}}.items():
        write_whole(folder.path / name, text)
        written.append(folder.path / name)
    return written


def percent(interval: Interval | None) -> str:
    """``61.3 [55.0, 67.1]``, in percent; a dash where it is undefined."""
    if interval is None or interval.value is None:
        return "-"
    value = f"{100 * interval.value:.1f}"
    return value if interval.low is None else f"{value} [{100 * interval.low:.1f}, {100 * (interval.high or 0):.1f}]"


def table_csv(results: Results) -> str:
    """Every figure, one a row; an empty field where it is undefined."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = ("value", "low", "high")
    writer.writerow(
        ["benchmark", "arm", "cwe", "metric", *names, "units", "undefined"] + [f"difference_{name}" for name in names]
    )
    for one in results.figures:
        difference = [getattr(one.difference, name) if one.difference else None for name in names]
        writer.writerow(
            [one.benchmark, one.arm, one.cwe, one.metric]
            + [getattr(one.interval, name) for name in names]
            + [one.interval.units, one.interval.undefined, *difference]
        )
    return stream.getvalue()


HEADLINE = ("engaged_security", "joint", "functional", "engaged", "parsable", "pass@1")
"""What a narrow terminal shows."""


DIFFERENCES = ("engaged_security", "joint", "functional", "pass@1", "pass@10", "accepted")
"""What the report takes differences of."""


def markdown(results: Results, metrics: Collection[str] | None = None) -> str:
    """The report as text; with ``metrics``, only these of every benchmark."""
    return "\n".join(_lines(results, metrics)) + "\n"


def _lines(results: Results, metrics: Collection[str] | None) -> Iterator[str]:
    settings = results.settings
    yield f"# {settings.name}"
    yield ""
    yield from summary_lines(results)
    for benchmark in dict.fromkeys(one.benchmark for one in results.figures):
        yield ""
        yield f"## {benchmark}"
        yield ""
        yield from _benchmark_lines(results, benchmark, metrics)


def summary_lines(results: Results) -> Iterator[str]:
    """What was run, in a few lines."""
    settings = results.settings
    identity = results.manifest["identity"]
    models = {**identity["models"], **identity.get("security_models_sha256", {})}
    yield "- models: " + ", ".join(f"{name} {value[:12]}" for name, value in models.items())
    yield f"- temperature {settings.temperature}, top-p {settings.top_p}, seeds {', '.join(map(str, settings.seeds))}"
    yield f"- {results.recorded} of {results.expected} completions judged" + (
        "" if results.recorded >= results.expected else " — **not finished**"
    )
    generations = judgements(dict(results.manifest))
    again = f", judgement {len(generations)} of these completions" if len(generations) > 1 else ""
    yield f"- checkers {generations[-1]['checkers']}{again}"
    tokens, seconds = (sum(getattr(one, name) for one in results.costs.values()) for name in ("tokens", "seconds"))
    yield f"- {tokens} tokens generated in {seconds:.0f} s"
    yield "- rates in percent, with bootstrap 95 % intervals over tasks and seeds; differences are paired"


def _benchmark_lines(results: Results, benchmark: str, metrics: Collection[str] | None) -> Iterator[str]:
    figures = [one for one in results.figures if one.benchmark == benchmark]
    overall = [one for one in shown_metrics(results, benchmark) if metrics is None or one in metrics]
    yield from markdown_table(
        ["arm", *(COLUMNS.get(metric, metric) for metric in overall)],
        [
            [arm, *(percent(results.interval(benchmark, arm, metric)) for metric in overall)]
            for arm in results.arms(benchmark)
        ],
    )
    compared = [arm for arm in results.arms(benchmark) if arm != results.against]
    if any(one.difference for one in figures):
        yield ""
        yield f"Differences to {results.against}, in points:"
        yield ""
        known = {one.metric for one in figures if one.difference} & {*overall}
        headline = [one for one in DIFFERENCES if one in known]
        yield from markdown_table(
            ["arm", *(COLUMNS.get(metric, metric) for metric in headline)],
            [[arm, *(_difference(results.figure(benchmark, arm, metric)) for metric in headline)] for arm in compared],
        )
    cwes = sorted({one.cwe for one in figures} - {ALL})
    if cwes:
        yield ""
        yield "Secure of engaged, by weakness:"
        yield ""
        yield from markdown_table(
            ["weakness", *results.arms(benchmark)],
            [
                [
                    cwe,
                    *(
                        percent(results.interval(benchmark, arm, "engaged_security", cwe))
                        for arm in results.arms(benchmark)
                    ),
                ]
                for cwe in cwes
            ],
        )
    yield from _unscored_lines(results, benchmark)


def shown_metrics(results: Results, benchmark: str) -> list[str]:
    """The metrics that some arm defines, in the order of their columns."""
    defined = [
        one.metric
        for one in results.figures
        if one.benchmark == benchmark and one.cwe == ALL and one.interval.value is not None
    ]
    return list(dict.fromkeys(defined))


def _unscored_lines(results: Results, benchmark: str) -> Iterator[str]:
    """Why completions could not be judged, most frequent first."""
    reasons: dict[str, int] = {}
    for (name, _), verdicts in results.verdicts.items():
        for one in verdicts if name == benchmark else ():
            if one.state is State.UNSCORED:
                reasons[one.reason] = reasons.get(one.reason, 0) + 1
    if reasons:
        yield ""
        yield "Unscored: " + "; ".join(
            f"{count} x {reason}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])
        )


def _difference(figure: Figure | None) -> str:
    return in_words(figure.difference) if figure is not None and figure.difference is not None else "-"


def markdown_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(heading)} |"
    yield f"|{'|'.join('---' for _ in heading)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
