"""Full load with random disconnects on a real `cosec serve`: `benchmarks/soak.py OUT [--minutes 30] [--streams 32]`.

Every stream sends one request after the other: streamed or whole, every rule, strengths and temperatures at random, and
about a quarter of them leave at a random moment. Memory, threads, files and the server's own gauges are sampled every
half minute and written as they come, so that a run that is cut short leaves what it saw. Before `--minutes` are counted
the load has run for `--warm-up` (half as long). At the end no slot, thread or file may still be taken, and memory must
have been flat: a leak grows both what the process has asked for and what it has touched, while storage that is touched
place by place grows only the latter. Exit status 1 if it is not so.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from serving_process import ServerProcess, Vitals, parser_of, requests_counted, say, server_process

from cosec.evaluation.environment import environment
from cosec.evaluation.tasks.demo_prompts import demo_prompts

LEAVING = 0.25
"""Share of the requests that leave."""

FIRST_SECONDS = 10.0
"""The server is loaded for so long before it is looked at, at rest, for the first time."""

FLAT = 0.02
"""Memory asked for and memory touched may not both grow by more than this share per half hour after the warm-up."""

RULES: list[dict[str, Any]] = [
    {},
    {"enabled": False},
    {"threshold": 0.1},
    {"threshold": 0.7, "preset": "cosec"},
    {"preset": "warped", "audit": "tokens"},
    {"preset": "release", "audit": "none"},
    {"rule": "gate", "strength": 0.05},
    {"rule": "gate", "decision": "steered", "divergence": "js"},
    {"rule": "steer", "strength": 1.5, "audit": "tokens"},
    {"rule": "speculative"},
]
GAUGES = ("queue_depth", "batch_rows", "kv_cache_tokens")


@dataclass(slots=True)
class Load:
    """What the streams have in common."""

    address: tuple[str, int]
    ends: float
    """``time.monotonic()`` after which no request is begun."""

    prompts: list[str]
    outcomes: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, outcome: str) -> None:
        """Note how one request ended."""
        with self.lock:
            self.outcomes[outcome] += 1


def body(chance: random.Random, prompts: list[str]) -> dict[str, Any]:
    """One request; a prompt is cut at a random place, as an editor's grows."""
    prompt = chance.choice(prompts)
    if chance.random() < 0.5:
        prompt = prompt[: chance.randrange(len(prompt) // 2, len(prompt))]
    return {
        "prompt": prompt,
        "max_tokens": chance.randrange(1, 65),
        "temperature": chance.choice([0.0, 0.2, 0.4, 0.8, 1.2]),
        "top_p": chance.choice([0.5, 0.95, 1.0]),
        "seed": chance.randrange(1000),
        "n": chance.choice([1, 1, 1, 1, 2, 3]),
        "stream": chance.random() < 0.6,
        "stop": chance.choice([None, ["\ndef "], ["\n\n", "}"]]),
        "logprobs": chance.choice([None, None, None, 2]),
        "cosec": chance.choice(RULES),
    }


def keep_asking(load: Load, seed: int) -> None:
    """One stream of requests, until time is up."""
    chance = random.Random(f"soak {seed}")
    while time.monotonic() < load.ends:
        asked = body(chance, load.prompts)
        leaves = chance.random() < LEAVING
        try:
            load.count(_ask(load.address, asked, chance.expovariate(1 / 3.0) if leaves else None, chance))
        except (OSError, HTTPException, ValueError) as error:
            load.count(f"{type(error).__name__}: {error}"[:120])


def _ask(address: tuple[str, int], asked: dict[str, Any], patience: float | None, chance: random.Random) -> str:
    """Send one request; leave after ``patience`` seconds, or after a few chunks of a stream."""
    connection = HTTPConnection(*address, timeout=300 if patience is None else max(0.001, patience))
    try:
        connection.request("POST", "/v1/completions", json.dumps(asked), {"Content-Type": "application/json"})
        if patience is not None and not asked["stream"] and chance.random() < 0.3:
            return "left at once"
        answer = connection.getresponse()
        if answer.status != 200:
            return str(answer.status)
        if patience is not None and asked["stream"]:
            for _ in range(chance.randrange(20)):
                answer.readline()
            return "left mid-stream"
        text = answer.read()
        return "200" if not asked["stream"] or text.rstrip().endswith(b"data: [DONE]") else "stream cut short"
    except TimeoutError:
        return "hang" if patience is None else "left while it waited"
    finally:
        with suppress(OSError):
            if patience is not None and connection.sock is not None and chance.random() < 0.5:
                connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()


def sample(server: ServerProcess, started: float, load: Load) -> dict[str, float]:
    """The server at this moment, and what was answered so far."""
    metrics = server.metrics()
    with load.lock:
        answered = load.outcomes.total()
    tokens = sum(value for name, value in metrics.items() if name.startswith("tokens_total"))
    gauges = {name: metrics[name] for name in GAUGES}
    return {"seconds": round(time.monotonic() - started, 1), **asdict(server.vitals()), **gauges,
            "requests": answered, "tokens": tokens}  # fmt: skip


def growth(samples: list[dict[str, float]], figure: str) -> float | None:
    """Share that a figure grew by per half hour, by least squares; None of fewer than three samples."""
    if len(samples) < 3:
        return None
    times, values = [one["seconds"] / 1800 for one in samples], [one[figure] for one in samples]
    time_mean, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((one - time_mean) ** 2 for one in times)
    return sum((time - time_mean) * (one - mean) for time, one in zip(times, values, strict=True)) / spread / mean


def soak(server: ServerProcess, asked: argparse.Namespace, record: dict[str, Any]) -> None:
    """Load until all comes to rest; fills ``record`` and writes it with every sample."""
    # Whatever model is served, prompt and completion fit into its context: no token is shorter than a character.
    prompts = [prompt.text[: server.context_length() // 4] for prompt in demo_prompts()]
    _run(Load(server.address, time.monotonic() + FIRST_SECONDS, prompts), asked.streams, seed=10_000)
    server.at_rest(120)
    before = server.vitals()
    started = time.monotonic()
    load = Load(server.address, started + 60 * (asked.warm_up + asked.minutes), prompts)
    samples: list[dict[str, float]] = []
    record.update(at_rest_before=asdict(before), samples=samples)
    loading = threading.Thread(target=_run, args=(load, asked.streams, asked.seed))
    loading.start()
    while loading.is_alive():
        loading.join(asked.every)
        samples.append(sample(server, started, load))
        asked.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        say(json.dumps(samples[-1]))
    counted = [one for one in samples[:-1] if one["seconds"] > 60 * asked.warm_up]
    record.update(_end(server, before, load, counted))


def _run(load: Load, streams: int, seed: int) -> None:
    threads = [threading.Thread(target=keep_asking, args=(load, seed + index), daemon=True) for index in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _end(server: ServerProcess, before: Vitals, load: Load, under_load: list[dict[str, float]]) -> dict[str, Any]:
    """What is left once nobody asks any more; ``under_load``: the samples that count."""
    at_rest = server.at_rest(120, before)
    after, metrics, complaints = server.vitals(), server.metrics(), server.complaints()
    grown = {figure: growth(under_load, figure) for figure in ("reserved_kib", "resident_kib")}
    known = [share for share in grown.values() if share is not None]
    flat = bool(known) and min(known) <= FLAT
    bad = {name: count for name, count in load.outcomes.items() if not name.startswith(("200", "left"))}
    return {
        "passed": at_rest and flat and not bad and not complaints,
        "requests": load.outcomes.total(),
        "outcomes": dict(load.outcomes.most_common()),
        "at_rest": asdict(after),
        "at_rest_as_before": at_rest,
        "gauges_at_rest": {name: metrics[name] for name in GAUGES},
        "growth_per_half_hour": grown,
        "memory_flat": flat,
        "counted_by_the_server": requests_counted(metrics),
        "complaints_in_the_log": complaints[:30],
    }


def main() -> int:
    """Run, write the record, and say whether it passed."""
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, help="minutes under the same load before that; half of --minutes")
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two samples")
    asked = parser.parse_args()
    asked.warm_up = asked.minutes / 2 if asked.warm_up is None else asked.warm_up
    record: dict[str, Any] = {
        "command": f"python benchmarks/soak.py OUT --minutes {asked.minutes:g} --warm-up {asked.warm_up:g}"
        f" --streams {asked.streams}",
        "models": [asked.target, asked.security],
        "environment": environment(),
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        server_process(Path(folder), ["--target", asked.target, "--security", asked.security]) as server,
    ):
        soak(server, asked, record)
    asked.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(json.dumps({name: value for name, value in record.items() if name not in ("samples", "environment")}))
    return 0 if record["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
