"""The tables of the paper with a study's numbers in the first rows.

The paper's numbers are those printed in Li et al. (IEEE TSE 2025), Tables I, II and V to X; ``paper_tables.csv`` holds
one per line. They were measured with other models, checkers and machines than a study's.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cosec.decoding.blackbox.targets.text_target import is_url
from cosec.evaluation.report.formatting import markdown_table, percent
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.statistics.intervals import mean_of_groups
from cosec.evaluation.report.statistics.metrics import arm_of, security_ratio
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

SECURITY = "security_ratio_percent"
"""First word of the paper's metrics of security."""

NOT_MEASURED = "not measured"
"""Takes the place of a figure that the study does not have."""

_TARGET_TRAINED = f"{LORA}@target"
_BOTH = {"Origin": ORIGIN, "LoRA": LORA, "CoSec": "cosec", "CoSec+": "cosec-plus"}

OURS: Mapping[str, Mapping[str, str]] = {
    "I": {"Origin": ORIGIN, "Security Model": LORA, "CoSec": "cosec"},
    "II": {"Security Model": LORA, "CoSec": "cosec"},
    "V": _BOTH,
    "VI": _BOTH,
    "VII": {"Origin": ORIGIN, "CoSec+": "cosec-plus"},
    "VIII": {
        "Cosec+": "cosec-plus",
        "without KD": "cosec-plus@without-kd",
        "without Oversampling": "cosec-plus@without-oversampling",
        "replace rKLD as KLD": "cosec-plus@forward-kl",
    },
    "IX": {"Origin": ORIGIN, "KLD": f"{LORA}@forward", "rKLD": f"{LORA}@reverse"},
}
"""Arm of a study by table and by the paper's name of it. Table X is not among them: `cosec bench speed` measures it.

The paper's LoRA is the target itself, trained. Where the security model is another model, ``lora`` is that model alone,
and the trained target is the arm ``lora@target`` (the security model that a recipe names ``target``).
"""

WITH_OTHER_ARMS = ("V", "VI", "VII")
"""Tables that also list the study's arms that the paper does not have."""


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
    """Those tables of the paper that the study has a figure for, as Markdown, with its figures in the first rows."""
    target = _measured(results)
    yield "## Beside the paper"
    yield ""
    yield (
        f"First rows: {target}, measured here; then the paper's models of the same family, if it has any, and its other"
        " models, checked with CodeQL. Target, security model, checker and sampling differ, so only the direction of"
        " differences is comparable. Security is Eq. 2, and a total is the mean over the table's weaknesses."
    )
    left_out = []
    for table, title in TITLES.items():
        numbers = [one for one in paper_numbers() if one.table == table]
        metrics = list(dict.fromkeys(one.metric for one in numbers))
        ours = [row for row in _our_rows(results, table, metrics) if set(row[2:]) != {NOT_MEASURED}]
        if not ours:
            left_out.append(table)
            continue
        header = ["target", "arm", *map(_short, metrics)]
        yield from ("", f"### {title}", "", *markdown_table(header, [*ours, *_their_rows(numbers, metrics, target)]))
    yield ""
    yield (
        f"Not shown, because this study has no figure for them: Tables {', '.join(left_out)}."
        " `cosec bench speed` measures what Table X has."
    )


def _measured(results: Results) -> str:
    """What the study measured: its target, or the model or address of an endpoint."""
    settings = results.settings
    return settings.target if settings.endpoint is None else settings.endpoint_model or settings.endpoint


def _their_rows(numbers: Sequence[PaperNumber], metrics: Sequence[str], target: str) -> Iterator[list[str]]:
    """The paper's rows of one table; those of the target's family come first."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in sorted(numbers, key=lambda one: not is_of_family(one.target, target)):
        rows.setdefault((one.target, one.security_model, one.arm), {})[one.metric] = one.value
    for (model, security, arm), values in rows.items():
        name = f"{model} + {security}" if security else model
        yield [name, arm, *(values.get(metric, "-") for metric in metrics)]


def _weaknesses(table: str) -> set[str]:
    """The weaknesses that a table's total averages; a table without columns for them has those of Table V."""
    named = {
        one.metric.removeprefix(f"{SECURITY} ").upper()
        for one in paper_numbers()
        if one.table == table and one.metric.startswith(f"{SECURITY} cwe-")
    }
    return named or _weaknesses("V")


def is_of_family(paper_target: str, target: str) -> bool:
    """Whether a model of the paper, such as ``Qwen2.5-Coder-14B``, is of the family of a study's target."""
    return paper_target.rpartition("-")[0].casefold() in target.casefold()


def _our_rows(results: Results, table: str, metrics: Sequence[str]) -> Iterator[list[str]]:
    """The study's rows of one table, for each benchmark that can fill its columns."""
    arms: dict[str, str | None] = dict(OURS.get(table, {}))
    if not arms:
        return
    trains_target = _TARGET_TRAINED in results.settings.arms or not _shares_weights(results)
    if LORA in arms.values() and "LoRA" in arms and trains_target:
        arms = {**arms, "LoRA": _TARGET_TRAINED, "Security Model": LORA}
    if table == "IX" and not _shares_weights(results):
        arms["Origin"] = None
    if table in WITH_OTHER_ARMS:
        arms.update({f"`{arm}`": arm for arm in results.settings.arms if arm not in arms.values()})
    benchmarks = results.settings.benchmarks
    humaneval = next((one for one in benchmarks if one.problems == "humaneval" and one.shortest is None), None)
    problems = None if humaneval is None else humaneval.name
    some = humaneval.limit if humaneval is not None and any(one.startswith("pass@") for one in metrics) else None
    tested = [one.name for one in benchmarks if one.scenarios is not None and one.split != ("validation",)]
    shows_security = any(metric.startswith(SECURITY) for metric in metrics)
    for scenarios in tested if shows_security and tested else [None]:
        told = [*([scenarios] if scenarios is not None else []), *([f"{some} of 164 problems"] if some else [])]
        name = f"**{_measured(results)}**" + (f" ({', '.join(told)})" if told else "")
        for shown, arm in arms.items():
            cells = (
                _function(results, problems, arm, metric)
                if metric.startswith("pass@")
                else _security(results, scenarios, arm, metric.removeprefix(f"{SECURITY} "), _weaknesses(table))
                for metric in metrics
            )
            yield [name, shown, *cells]


def _shares_weights(results: Results) -> bool:
    """Whether the security model is the target with an adapter, so that its arm alone is the paper's LoRA."""
    models = results.manifest["identity"].get("models", {})
    return not {"security", "base"} & set(models) and not is_url(models.get("target", ""))


def _short(metric: str) -> str:
    """A short column heading: ``089`` for a weakness, ``pass@1`` for a rate of HumanEval."""
    name = metric.removeprefix(f"{SECURITY} ").removeprefix("cwe-")
    return name.removesuffix(" percent HumanEval")


def _function(results: Results, benchmark: str | None, arm: str | None, metric: str) -> str:
    """The study's pass@k in one cell."""
    found = None if benchmark is None or arm is None else results.interval(benchmark, arm, metric.partition(" ")[0])
    return NOT_MEASURED if found is None else percent(found)


def _security(results: Results, benchmark: str | None, arm: str | None, what: str, weaknesses: Collection[str]) -> str:
    """The study's security ratio (Eq. 2) in one cell: of a weakness, or the mean over ``weaknesses``."""
    if benchmark is None or arm is None or (benchmark, arm) not in results.verdicts:
        return NOT_MEASURED
    measured = arm_of(results.verdicts[benchmark, arm])
    wanted = weaknesses if what == "total" else {what.upper()}
    tables = [measured.table(security_ratio, cwe) for cwe in sorted(set(measured.cwes) & set(wanted))]
    return percent(mean_of_groups(tables)) if tables else NOT_MEASURED
