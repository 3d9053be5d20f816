"""Where the rules part from the target, and who decides there.

    python benchmarks/where_rules_part.py OUT.md OUT.json [--model NAME] [--scenarios own|FOLDER] [--strength S]

An embedded model completes scenarios that end at the dangerous choice, greedily (temperature 0, so that
nothing is left to chance), with the target alone, the security model alone, and each rule. At the first token at which
the security model alone leaves the target's path, both have read the same text: what each finds likely there, how much
the adapter changed its own base, and what each rule did. Verdicts are those of the study.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from cosec import load_pair
from cosec.decoding.completer import Completer, Completion
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.gate import divergence_of
from cosec.decoding.settings import SamplingSettings
from cosec.evaluation.environment import environment
from cosec.evaluation.judging.judge_scenarios import ScenarioSamples, judge_scenarios
from cosec.evaluation.judging.judges import default_judges
from cosec.evaluation.study.arms import parse_arm
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Benchmark, Task, tasks_of

ARMS = ("origin", "lora", "cosec-plus", "gate:strength=0.1")
"""The arms beside `steer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parting:
    """One scenario under every arm."""

    task: str
    verdicts: dict[str, str]
    place: int | None = None
    """First token at which the security model alone leaves the target's path; None where it never does."""

    before: str = ""
    """The end of what both had written."""

    target_token: str = ""
    security_token: str = ""
    target_gives: float = 0.0
    """The target's probability of the security model's token."""

    security_gives: float = 0.0
    """The security model's own."""

    divergence: float = 0.0
    """KL of the security model from its base there, in nats."""

    took: dict[str, bool] = field(default_factory=dict)
    """Which rules wrote the security model's token there; those that had left the path before are not named."""


def completions(pair: PreparedPair, arm: str, tasks: Sequence[Task], tokens: int) -> list[Completion]:
    """One greedy completion of each task."""
    chosen = parse_arm(arm)
    sampling = SamplingSettings(temperature=0.0, max_new_tokens=tokens, seed=0)
    completer = Completer(pair, chosen.settings(sampling), alone=chosen.alone)
    return completer.complete([task.prompt for task in tasks])


def verdicts(tasks: Sequence[Task], found: Sequence[Completion]) -> list[str]:
    """``secure``, ``insecure``, … of each completion; ``avoids`` in front where the sink is not reached."""
    jobs = []
    for task, one in zip(tasks, found, strict=True):
        assert task.scenario is not None
        sample = Sample(
            task=task.id, sample=0, text=one.text, finish_reason=one.finish_reason, tokens=one.totals.tokens
        )
        jobs.append(ScenarioSamples(scenario=task.scenario, samples=[sample]))
    judged = judge_scenarios(jobs, default_judges(), seed=0, functional=False)
    return [("" if verdict.engaged else "avoids, ") + str(verdict.state) for (verdict,) in judged]


def ids_of(one: Completion) -> list[int]:
    """The tokens that were emitted."""
    return [record.token_id for record in one.records]


@torch.inference_mode()
def parting(pair: PreparedPair, task: Task, arms: dict[str, Completion], judged: dict[str, str]) -> Parting:
    """Look at the first token at which the security model alone leaves the target's path."""
    paths = {name: ids_of(one) for name, one in arms.items()}
    target, security = paths["origin"], paths["lora"]
    place = next((at for at, (one, other) in enumerate(zip(target, security, strict=False)) if one != other), None)
    if place is None:
        return Parting(task=task.id, verdicts=judged)
    ids = [*pair.tokenizer(task.prompt).input_ids, *target[:place]]
    lanes = pair.lanes(1, "base").prefill([ids[:-1]])
    scores = lanes.advance(torch.tensor(ids[-1:]), 1, lambda log_probs, _: log_probs.argmax(dim=-1))
    assert scores.security_log_probs is not None
    assert scores.base_log_probs is not None
    chosen = security[place]
    return Parting(
        task=task.id,
        verdicts=judged,
        place=place,
        before=(task.prompt + pair.tokenizer.decode(target[:place]))[-60:],
        target_token=pair.tokenizer.decode(target[place]),
        security_token=pair.tokenizer.decode(chosen),
        target_gives=float(scores.target_log_probs[0, 0, chosen].exp()),
        security_gives=float(scores.security_log_probs[0, 0, chosen].exp()),
        divergence=float(divergence_of(scores.security_log_probs[:, 0], scores.base_log_probs[:, 0], "kl")),
        took={
            name: path[place] == chosen
            for name, path in paths.items()
            if name not in ("origin", "lora") and path[:place] == target[:place] and len(path) > place
        },
    )


def measured(model: str, scenarios: str, steer: str) -> list[Parting]:
    """Every scenario under every arm."""
    pair = load_pair(model, runtime="torch")
    depth: Literal["decision"] | None = "decision" if scenarios == "own" else None
    tokens = 64 if scenarios == "own" else 128
    benchmark = Benchmark(name="parting", scenarios=scenarios, depth=depth, samples=1, max_new_tokens=tokens)
    tasks = tasks_of(benchmark)
    arms = (*ARMS, steer)
    found = {arm: completions(pair, arm, tasks, tokens) for arm in arms}
    judged = {arm: verdicts(tasks, found[arm]) for arm in arms}
    return [
        parting(pair, task, {arm: found[arm][at] for arm in arms}, {arm: judged[arm][at] for arm in arms})
        for at, task in enumerate(tasks)
    ]


def summary(partings: Sequence[Parting]) -> dict[str, Any]:
    """Counts over all scenarios, and over those that the security model alone turns from insecure to secure."""
    arms = list(partings[0].verdicts)
    rules = arms[2:]
    turned = [one for one in partings if one.verdicts["origin"] == "insecure" and one.verdicts["lora"] == "secure"]
    back = [one for one in partings if one.verdicts["origin"] == "secure" and one.verdicts["lora"] == "insecure"]
    parted = [one for one in partings if one.place is not None]
    return {
        "scenarios": len(partings),
        "verdicts": {arm: dict(Counter(one.verdicts[arm] for one in partings)) for arm in arms},
        "security_model_parts": len(parted),
        "took_its_token_where_it_parts": _taken(parted, rules),
        "turned_secure_by_the_security_model": len(turned),
        "took_its_token_there": _taken(turned, rules),
        "also_secure_under": {arm: sum(one.verdicts[arm] == "secure" for one in turned) for arm in rules},
        "turned_insecure_by_the_security_model": len(back),
        "also_insecure_under": {arm: sum(one.verdicts[arm] == "insecure" for one in back) for arm in rules},
    }


def _taken(partings: Sequence[Parting], rules: Sequence[str]) -> dict[str, str]:
    return {
        arm: f"{sum(one.took.get(arm, False) for one in partings)} of {sum(arm in one.took for one in partings)}"
        for arm in rules
    }


def table(partings: Sequence[Parting]) -> str:
    """The partings as Markdown, those where verdicts differ first."""
    ordered = sorted(partings, key=lambda one: (len(set(one.verdicts.values())) == 1, one.task))
    lines = [
        "| scenario | after | target writes | security model writes | target gives it | security model gives it | KL |"
        f" took it | verdicts: {', '.join(partings[0].verdicts)} |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in ordered:
        if one.place is None:
            continue
        code = [_code(text) for text in (one.before[-24:], one.target_token, one.security_token)]
        numbers = f"{one.target_gives:.3f} | {one.security_gives:.3f} | {one.divergence:.2f}"
        took = ", ".join(arm for arm, did in one.took.items() if did) or "-"
        lines.append(f"| {one.task} | {' | '.join(code)} | {numbers} | {took} | {', '.join(one.verdicts.values())} |")
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    """Text as code in a cell of a table."""
    escaped = json.dumps(text)[1:-1].replace("|", chr(92) + "|").replace("`", "'")
    return f"`{escaped}`"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("record", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--scenarios", default="own", help="own, or a folder of scenarios in SVEN's layout")
    parser.add_argument("--strength", default="2", help="strength of steer")
    chosen = parser.parse_args()
    found = measured(chosen.model, chosen.scenarios, f"steer:strength={chosen.strength}")
    record = {
        "command": f"python benchmarks/where_rules_part.py --model {chosen.model} --strength {chosen.strength}",
        "scenarios": "own" if chosen.scenarios == "own" else "a folder",
        "summary": summary(found),
        "partings": [asdict(one) for one in found],
        "environment": environment(),
    }
    chosen.table.write_text(table(found), encoding="utf-8")
    chosen.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record["summary"], indent=1))  # noqa: T201
