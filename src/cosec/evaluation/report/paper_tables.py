"""The tables of the paper with a study's numbers in the first rows.

The paper's numbers are those printed in Li et al. (IEEE TSE 2025), Tables I, II and V to X; ``paper_tables.csv`` holds
one per line. They were measured with other models, checkers and machines than a study's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cosec.evaluation.report.estimates import ALL
from cosec.evaluation.report.formatting import markdown_table, percent
from cosec.evaluation.report.results import Results
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
"""Titles of the paper's tables, by number."""

OURS: Mapping[str, Mapping[str, str]] = {
    "I": {"Origin": ORIGIN, "Security Model": LORA, "CoSec": "cosec"},
    "II": {"Security Model": LORA, "CoSec": "cosec"},
    "V": {"Origin": ORIGIN, "LoRA": LORA, "CoSec": "cosec", "CoSec+": "cosec-plus"},
    "VI": {"Origin": ORIGIN, "LoRA": LORA, "CoSec": "cosec", "CoSec+": "cosec-plus"},
    "VII": {"Origin": ORIGIN, "CoSec+": "cosec-plus"},
    "VIII": {"Cosec+": "cosec-plus"},
}
"""Arm of a study by table and by the paper's name of it. Tables IX and X do not come from a study's completions."""


@dataclass(frozen=True, slots=True)
class PaperNumber:
    """One printed number."""

    table: str
    target: str
    security_model: str
    arm: str
    metric: str
    value: str


@cache
def paper_numbers() -> tuple[PaperNumber, ...]:
    """Every number, in the order of the tables."""
    with (files("cosec") / "data" / "paper_tables.csv").open(encoding="utf-8") as stream:
        return tuple(PaperNumber(*row.values()) for row in csv.DictReader(stream))


def paper_lines(results: Results) -> Iterator[str]:
    """The tables as Markdown, with first rows for what the study measured."""
    yield "## Beside the paper"
    yield ""
    yield (
        f"First rows: {results.settings.target}, measured here. Other rows: the paper's models, checked with CodeQL."
        " Target, security model, checker and sampling differ, so only the direction of differences is comparable."
    )
    for table, title in TITLES.items():
        numbers = [one for one in paper_numbers() if one.table == table]
        metrics = list(dict.fromkeys(one.metric for one in numbers))
        yield ""
        yield f"### {title}"
        yield ""
        ours = [
            [f"**{results.settings.target}**", arm, *(_ours(results, name, metric) for metric in metrics)]
            for arm, name in OURS.get(table, {}).items()
        ]
        theirs: dict[tuple[str, str, str], dict[str, str]] = {}
        for one in numbers:
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
    """A short column heading: ``089`` for a weakness, ``pass@1`` for a rate of HumanEval."""
    name = metric.removeprefix("security_ratio_percent ").removeprefix("cwe-")
    return name.removesuffix(" percent HumanEval")


def _ours(results: Results, arm: str, metric: str) -> str:
    """The study's value of the paper's metric, or a dash. Security is Eq. 2 on the first benchmark that has it."""
    kind, _, what = metric.partition(" ")
    name, cwe = (kind, ALL) if kind.startswith("pass@") else ("security", what.upper() if what != "total" else ALL)
    for benchmark in results.benchmarks():
        estimate = results.estimate(benchmark, arm, name, cwe)
        if estimate is not None:
            return percent(estimate.interval)
    return "-"
