"""The paper's tables in the paper's shape, ours in the first rows: other models, checkers and machines.

The figures are those printed in Li et al. (IEEE TSE 2025), Tables I, II and V to X, one a line in ``paper_tables.csv``.
Knows nothing about how ours were measured.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cosec.evaluation.report.report import markdown_table, percent
from cosec.evaluation.report.results import ALL, Results
from cosec.evaluation.study.arms import LORA, ORIGIN

TITLES: Mapping[str, str] = {
    "I": "Table I: CoSec and its security model on HumanEval",
    "II": "Table II: CoSec on the trained weaknesses",
    "V": "Table V: the trained weaknesses",
    "VI": "Table VI: functional correctness on HumanEval",
    "VII": "Table VII: unseen weaknesses",
    "VIII": "Table VIII: what each part contributes",
    "IX": "Table IX: direction of the divergence in alignment",
    "X": "Table X: seconds per 20 tokens",
}
OURS: Mapping[str, Mapping[str, str]] = {
    "I": {"Origin": ORIGIN, "Security Model": LORA, "CoSec": "cosec"},
    "II": {"Security Model": LORA, "CoSec": "cosec"},
    "V": {"Origin": ORIGIN, "LoRA": LORA, "CoSec": "cosec", "CoSec+": "cosec-plus"},
    "VI": {"Origin": ORIGIN, "LoRA": LORA, "CoSec": "cosec", "CoSec+": "cosec-plus"},
    "VII": {"Origin": ORIGIN, "CoSec+": "cosec-plus"},
    "VIII": {"Cosec+": "cosec-plus"},
}
"""Table → the paper's arm → ours. Tables IX and X are not made from a study's completions."""


@dataclass(frozen=True, slots=True)
class PaperFigure:
    """One printed number."""

    table: str
    target: str
    security_model: str
    arm: str
    metric: str
    value: str


@cache
def paper_figures() -> tuple[PaperFigure, ...]:
    """Every figure, in the order of the tables."""
    with (files("cosec") / "data" / "paper_tables.csv").open(encoding="utf-8") as stream:
        return tuple(PaperFigure(*row.values()) for row in csv.DictReader(stream))


def paper_lines(results: Results) -> Iterator[str]:
    """The tables as Markdown, ours in the first rows where the study measured it."""
    yield "## Beside the paper"
    yield ""
    yield (
        f"First rows: {results.settings.target}, measured here. Other rows: the paper's models, checked by CodeQL."
        " Target, security model, checker and sampling differ, so rows can be compared by their direction only."
    )
    for table, title in TITLES.items():
        figures = [one for one in paper_figures() if one.table == table]
        metrics = list(dict.fromkeys(one.metric for one in figures))
        yield ""
        yield f"### {title}"
        yield ""
        ours = [
            [f"**{results.settings.target}**", arm, *(_ours(results, name, metric) for metric in metrics)]
            for arm, name in OURS.get(table, {}).items()
        ]
        theirs: dict[tuple[str, str, str], dict[str, str]] = {}
        for one in figures:
            theirs.setdefault((one.target, one.security_model, one.arm), {})[one.metric] = one.value
        yield from markdown_table(
            ["target", "arm", *(_short(metric) for metric in metrics)],
            [row for row in ours if any(cell != "-" for cell in row[2:])]
            + [
                [target + (f" + {security}" if security else ""), arm, *(values.get(metric, "-") for metric in metrics)]
                for (target, security, arm), values in theirs.items()
            ],
        )


def _short(metric: str) -> str:
    """``089`` for a weakness, ``pass@1`` for a rate of HumanEval."""
    name = metric.removeprefix("security_ratio_percent ").removeprefix("cwe-")
    return name.removesuffix(" percent HumanEval")


def _ours(results: Results, arm: str, metric: str) -> str:
    """Our figure under the paper's metric, or a dash: security by Eq. 2 on the first scenario benchmark that has it."""
    kind, _, what = metric.partition(" ")
    name, cwe = (kind, ALL) if kind.startswith("pass@") else ("security", what.upper() if what != "total" else ALL)
    for benchmark in dict.fromkeys(one.benchmark for one in results.figures):
        figure = results.figure(benchmark, arm, name, cwe)
        if figure is not None:
            return percent(figure.interval)
    return "-"
