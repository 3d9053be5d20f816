"""What hardening a server as text costs, and whether its text stays its own.

Asks the target for completions of the demo prompts, and then of the scenarios cut at the dangerous choice, at
temperature 0: alone, checked with a threshold that no divergence exceeds, and hardened. The arms complete a prompt one
right after the other, as the speed of a machine drifts, and take turns to be the first. Then cuts texts at random
characters and asks again, which shows what tokenizing the text anew changes.

    cosec serve --target qwen2.5-coder-1.5b --security none --port 8001 &
    python benchmarks/proxy_overhead.py http://127.0.0.1:8001/v1 --security ADAPTER --prompts 14 --tokens 96

With several rounds both sides read all prompts once before the first. With ``--new-prompts`` both read each one anew.
The processor time of a server on this machine (``--server-process``) and of this process is recorded too. It says what
the work costs where the clock also counts other programs and waiting.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cosec.decoding.blackbox.completer import TextCompleter, TextCompletion
from cosec.decoding.blackbox.loading import load_reader, security_rule
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.blackbox.targets.openai_server import OpenAiServer, ServerAddress
from cosec.decoding.blackbox.text_rule import text_rule
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.environment import environment
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from cosec.evaluation.tasks.tasks import Benchmark, tasks_of

NEVER = 1e9
"""A threshold that no divergence exceeds."""

BARE = ("alone", "again")
"""Arms without a security model; the second shows whether the server repeats its own texts."""


@dataclass(slots=True)
class Costs:
    """What each text of an arm took, in milliseconds."""

    clock: list[float] = field(default_factory=list)
    """By the clock."""

    server: list[float] = field(default_factory=list)
    """Processor time of the server."""

    proxy: list[float] = field(default_factory=list)
    """Processor time of this process."""

    characters: list[int] = field(default_factory=list)
    """Length of the text; 1 if it is empty, so that the time of a request is that of a character at least."""

    @property
    def work(self) -> list[float]:
        """Processor time of both."""
        return [sum(both) for both in zip(self.server, self.proxy, strict=True)]


def ratio(arm: Costs, alone: Costs, kind: str) -> dict[str, float | list[float]]:
    """The cost of a character over that alone, with a 95 % bootstrap interval over the texts, which pair the arms."""
    columns = (getattr(arm, kind), arm.characters, getattr(alone, kind), alone.characters)
    texts, draws = list(zip(*columns, strict=True)), random.Random(0)
    drawn = sorted(_ratio(draws.choices(texts, k=len(texts))) for _ in range(2000))
    return {"ratio": _ratio(texts), "interval": [drawn[50], drawn[1949]]}


def _ratio(texts: Sequence[tuple[float, ...]]) -> float:
    spent, written, spent_alone, written_alone = map(sum, zip(*texts, strict=True))
    return round(spent / written / (spent_alone / written_alone), 3)


def per_character(costs: Costs, kind: str) -> float:
    """Milliseconds for each character of all texts."""
    spent: list[float] = getattr(costs, kind)
    return round(sum(spent) / sum(costs.characters), 3)


class Bench:
    """A target, a security model, and the sampling settings that all measurements share."""

    def __init__(
        self,
        address: ServerAddress,
        reader: SecurityReader,
        rule: dict[str, object],
        tokens: int,
        server: int | None = None,
    ) -> None:
        self._address, self._reader, self._rule, self._server = address, reader, rule, server
        self._sampling = {"temperature": 0.0, "max_new_tokens": tokens, "code_end": "none"}
        self._completers: dict[str, TextCompleter] = {}
        """One for each arm, which learns how often the arm decides as a server that runs on does."""

    def complete(self, prompts: Sequence[str], arm: str, costs: Costs | None = None) -> list[TextCompletion]:
        """Complete the prompts one after the other, and note what it took."""
        if arm not in self._completers:
            rule = {**self._rule, "strength": NEVER} if arm == "checked" else self._rule
            self._completers[arm] = TextCompleter(
                lambda _: OpenAiServer(self._address),
                self._reader,
                decoding_settings(rule, self._sampling),
                hardened=arm not in BARE,
                rows=1,
            )
        completer, before = self._completers[arm], self._times()
        found = sorted(completer.complete(prompts), key=lambda one: one.prompt_index)
        if costs is not None:
            costs.characters.append(max(1, sum(len(one.text) for one in found)))
            spent = [1000 * (after - start) for start, after in zip(before, self._times(), strict=True)]
            for kept, one in zip((costs.clock, costs.server, costs.proxy), spent, strict=True):
                kept.append(one)
        return found

    def _times(self) -> tuple[float, float, float]:
        """The clock, and the processor seconds of the server and of this process."""
        server = 0.0
        if self._server is not None:
            told = Path(f"/proc/{self._server}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            server = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), server, time.process_time()


def differing_continuations(bench: Bench, prompts: Sequence[str], texts: Sequence[str], cuts: int) -> dict[str, float]:
    """Cut each text at random characters, and count the continuations that differ from the rest of the text."""
    draws = random.Random(0)
    long = [index for index, text in enumerate(texts) if len(text) > 1] * cuts
    cut = [(draws.randrange(1, len(texts[index])), index) for index in long]
    asked = [prompts[index] + texts[index][:place] for place, index in cut]
    found = bench.complete(asked, "alone")
    rests = [texts[index][place:] for place, index in cut]
    differ = [
        not (one.text.startswith(rest) or rest.startswith(one.text)) for one, rest in zip(found, rests, strict=True)
    ]
    return {"cuts": len(cut), "differ": sum(differ), "share": sum(differ) / max(1, len(differ))}


def differing(texts: Sequence[str], others: Sequence[str]) -> list[dict[str, object]]:
    """The texts that differ, each with the index of its prompt."""
    pairs = enumerate(zip(texts, others, strict=True))
    return [{"prompt": index, "alone": text, "other": other} for index, (text, other) in pairs if text != other]


def decisions(hardened: Sequence[TextCompletion]) -> dict[str, float]:
    """How often the security model decides, and what that costs in requests."""
    totals = [one.totals for one in hardened]
    tokens, decided = sum(one.tokens for one in totals), sum(one.decisions for one in totals)
    return {
        "decisions_per_token": round(decided / max(1, tokens), 4),
        "changes_per_token": round(sum(one.changed for one in totals) / max(1, tokens), 4),
        "requests_per_decision": round(sum(one.requests - 1 for one in hardened) / max(1, decided), 3),
    }


def arguments() -> argparse.Namespace:
    """What is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="base URL of the target server, up to /v1")
    parser.add_argument("--model", help="the model's name there")
    parser.add_argument("--server-process", type=int, help="process id of the server, if it runs on this machine")
    parser.add_argument("--security", default="default")
    parser.add_argument("--dtype", default="auto", help="number format of the security model")
    parser.add_argument("--strength", type=float, help="threshold of the gate; default: the adapter's")
    parser.add_argument("--prompts", type=int, default=14)
    parser.add_argument("--new-prompts", action="store_true", help="make every prompt of every turn a new one")
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cuts", type=int, default=3, help="cuts of each text")
    parser.add_argument("--equality", action="store_true", help="leave the hardened arm out")
    parser.add_argument("--again", action="store_true", help="ask the bare server twice: does it repeat its own text?")
    return parser.parse_args()


def main() -> None:
    """Measure, and print one JSON object."""
    given = arguments()
    rule = text_rule(security_rule(given.security), {} if given.strength is None else {"strength": given.strength})
    address = ServerAddress(url=given.url, model=given.model, seconds=600)
    reader = load_reader(given.security, dtype=given.dtype)
    bench = Bench(address, reader, rule, given.tokens, given.server_process)
    cut = tasks_of(Benchmark(name="own", scenarios="own", depth="decision", max_new_tokens=1, samples=1))
    prompts = [*(one.text for one in demo_prompts()), *(task.prompt for task in cut)][: given.prompts]
    arms = ("alone", *(["again"] if given.again else []), "checked", *([] if given.equality else ["hardened"]))
    if given.new_prompts:
        bench.complete(prompts[:1], arms[-1])  # warms all models up
    elif given.rounds > 1:
        for arm in arms:  # also lets both sides read the prompts
            bench.complete(prompts, arm)
    costs, latest = {arm: Costs() for arm in arms}, {arm: dict[int, TextCompletion]() for arm in arms}
    for turn in range(given.rounds):
        for index, prompt in enumerate(prompts):
            first = (turn + index) % len(arms)
            for arm in (*arms[first:], *arms[:first]):
                asked = f"# {turn} {arm} {index}\n{prompt}" if given.new_prompts else prompt
                (latest[arm][index],) = bench.complete([asked], arm, costs[arm])
    found = {arm: [each[index] for index in range(len(prompts))] for arm, each in latest.items()}
    print(json.dumps(report(given, rule, bench, prompts, costs, found), indent=1))  # noqa: T201 - the measurement


def report(
    given: argparse.Namespace,
    rule: dict[str, object],
    bench: Bench,
    prompts: Sequence[str],
    costs: dict[str, Costs],
    latest: dict[str, list[TextCompletion]],
) -> dict[str, object]:
    """What was found, with what it was measured on."""
    others = [arm for arm in costs if arm != "alone"]
    texts = [one.text for one in latest["alone"]]
    compared = [] if given.new_prompts else [arm for arm in ("again", "checked") if arm in latest]
    unequal = {arm: differing(texts, [one.text for one in latest[arm]]) for arm in compared}
    return {
        "environment": environment(),
        "arguments": {name: value for name, value in vars(given).items() if name not in ("url", "server_process")},
        "prompts": len(prompts),
        "unequal_texts": unequal,
        "continuations_after_cuts": differing_continuations(bench, prompts, texts, given.cuts),
        "milliseconds_per_character": {arm: per_character(one, "clock") for arm, one in costs.items()},
        **{f"{arm}_over_alone": ratio(costs[arm], costs["alone"], "clock") for arm in others},
        "processor_milliseconds_per_character": {
            arm: {part: per_character(one, part) for part in ("server", "proxy")} for arm, one in costs.items()
        },
        "processor_time_over_alone": {arm: ratio(costs[arm], costs["alone"], "work") for arm in others},
        **({} if given.equality else decisions(latest["hardened"])),
        "rule": rule,
    }


if __name__ == "__main__":
    main()
