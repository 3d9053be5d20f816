"""The report of a study as one self-contained HTML page, with samples whose findings are underlined."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from cosec.evaluation.report.formatting import (
    AUDIT_HEADINGS,
    UNSCORED_HEADINGS,
    audit_rows,
    correction,
    heading,
    percent,
    shown_metrics,
    unscored_rows,
)
from cosec.evaluation.report.results import Results, ShownSample
from cosec.evaluation.report.statistics.intervals import in_words
from cosec.evaluation.report.text_report import summary_lines

CAPTIONS = {
    "by-weakness": "Secure of engaged by weakness, with 95 % intervals.",
    "security-function": "Security against function, with 95 % intervals.",
}
"""Captions of the figures, by the end of their names."""

SAMPLES_SHOWN = 2
"""Completions shown for each scenario and arm."""


def page(results: Results, figures: Mapping[str, str]) -> str:
    """The page as HTML; it loads nothing from elsewhere.

    Args:
        results: What to show.
        figures: SVG elements by name.
    """
    style = (files("cosec.evaluation.report") / "report.css").read_text(encoding="utf-8")
    body = "\n".join(_body(results, figures))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(results.settings.name)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body><main>{body}</main>'
        "</body></html>\n"
    )


def _body(results: Results, figures: Mapping[str, str]) -> Iterator[str]:
    yield f"<h1>{escape(results.settings.name)}</h1><ul>"
    for line in summary_lines(results):
        text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(line.removeprefix("- ")))
        yield f"<li>{text}</li>"
    yield "</ul>"
    for benchmark in results.benchmarks():
        yield f"<section><h2>{escape(benchmark)}</h2>"
        yield from _rates(results, benchmark)
        yield from _weaknesses(results, benchmark)
        yield from _counted(
            "Completions that could not be judged", UNSCORED_HEADINGS, unscored_rows(results, benchmark)
        )
        yield from _counted("Secure verdicts that people read", AUDIT_HEADINGS, audit_rows(results, benchmark))
        for name, caption in CAPTIONS.items():
            if (figure := figures.get(f"{benchmark}-{name}")) is not None:
                yield f"<figure>{figure}<figcaption>{caption}</figcaption></figure>"
        yield from _samples(results, benchmark)
        yield "</section>"


def _rates(results: Results, benchmark: str) -> Iterator[str]:
    metrics = shown_metrics(results, benchmark)
    rows = []
    for arm in results.arms(benchmark):
        cells = [escape(arm)]
        for metric in metrics:
            estimate = results.estimate(benchmark, arm, metric)
            shown = percent(estimate.interval if estimate else None)
            if estimate is not None and estimate.simultaneous is not None:
                title = escape(f"difference to {results.against}, in percentage points{correction(results, benchmark)}")
                shown += f'<small title="{title}">{escape(in_words(estimate.simultaneous))}</small>'
            cells.append(shown)
        rows.append(cells)
    yield _table(["arm", *map(heading, metrics)], rows)


def _weaknesses(results: Results, benchmark: str) -> Iterator[str]:
    cwes, arms = results.cwes(benchmark), results.arms(benchmark)
    if not cwes:
        return
    rows = [
        [cwe, *(percent(results.interval(benchmark, arm, "engaged_security", cwe)) for arm in arms)] for cwe in cwes
    ]
    yield "<h3>Secure of engaged, by weakness</h3>"
    yield _table(["weakness", *map(escape, arms)], rows)


def _counted(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"<h3>{title}</h3>"
        yield _table(headings, [[escape(cell) for cell in row] for row in rows])


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are HTML."""
    head = "".join(f"<th>{cell}</th>" for cell in heading)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _samples(results: Results, benchmark: str) -> Iterator[str]:
    shown = [one for one in results.shown if one.benchmark == benchmark and one.sample < SAMPLES_SHOWN]
    if (reason := results.unreadable.get(benchmark)) is not None:
        yield f"<p>Samples are not shown, because the prompts could not be read: {escape(reason)}</p>"
    if not shown:
        return
    yield "<h3>Samples</h3>"
    for task in dict.fromkeys(one.task for one in shown):
        yield f"<details><summary>{escape(task)}</summary>"
        for one in shown:
            if one.task == task:
                yield _sample(one, told=results.settings.endpoint is None)
        yield "</details>"


def _sample(one: ShownSample, *, told: bool) -> str:
    """A completion after the last lines of its prompt, with marks on changed tokens and lines under findings.

    Args:
        one: The completion.
        told: Whether it is known which tokens are changed.
    """
    first = one.prompt.count("\n") + 1
    lines = (one.prompt + one.text).split("\n")
    start = max(0, first - 4)
    found = {finding.line: finding.message for finding in one.verdict.findings}
    changed = {len(one.prompt) + at + offset for at, length in one.marks for offset in range(length)}
    place = sum(len(line) + 1 for line in lines[:start])
    shown = []
    for number, line in enumerate(lines[start:], start=start + 1):
        kind = "prompt" if number < first else "text"
        text = "".join(_marked(line, place, changed)) or " "
        if number in found:
            text = f'<span class="finding" title="{escape(found[number])}">{text}</span>'
        shown.append(f'<span class="{kind}">{text}</span>')
        place += len(line) + 1
    messages = "; ".join(f"line {line}: {message}" for line, message in sorted(found.items()))
    state = f"{one.verdict.state}{'' if one.verdict.engaged else ', not engaged'}"
    if one.verdict.functional is not None:
        state += ", works" if one.verdict.functional else ", does not work"
    changes = f"{one.verdict.changed} of {one.verdict.tokens} tokens changed. " if told else ""
    return (
        f'<div class="sample {one.verdict.state}"><p><b>{escape(one.arm)}</b> sample {one.sample}, seed {one.seed}: '
        f"{escape(state)}. {changes}{escape(messages or one.verdict.reason)}</p>"
        f"<pre>{chr(10).join(shown)}</pre></div>"
    )


def _marked(line: str, place: int, changed: Collection[int]) -> Iterator[str]:
    """The pieces of the line as HTML, with marks on the characters of changed tokens."""
    for is_changed, group in groupby(enumerate(line, start=place), key=lambda one: one[0] in changed):
        text = escape("".join(letter for _, letter in group))
        yield f'<mark title="differs from the most likely token">{text}</mark>' if is_changed else text
