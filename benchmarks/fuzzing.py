"""A recorded run of odd requests against a real `cosec serve`: `benchmarks/fuzzing.py OUT [--requests 10000]`.

Three in ten are made by schemathesis from the server's own OpenAPI schema, half have odd values in known fields, the
others are the kinds of ``odd_requests.py``. The server has small limits (8 tokens, 8 samples), so that the time goes
into requests and not into completions. After a warm-up of a tenth as many requests its memory, threads and files are
noted while it idles, and again at the end. Every answer must come within ``--seconds``, none may be a 500, and each
kind may end in its own ways only. Exit status 1 if the run failed.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from odd_requests import ANSWERED, BODY_SECONDS, KINDS, Outcome, odd_fields, send
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import status_code_conformance
from serving_process import ServerProcess, parser_of, requests_counted, say, server_process

from cosec.evaluation.environment import environment

GENERATED, ODD_FIELDS = 0.3, 0.5
LIMITS = ("--max-tokens", "8", "--max-samples", "8", "--body-seconds", str(BODY_SECONDS), "--deadline-seconds", "60")
PACKAGES = ("schemathesis", "hypothesis", "fastapi", "starlette", "uvicorn", "h11", "httptools", "uvloop", "pydantic")
IDLE_SECONDS = 25.0
"""The server gives kept memory back after twenty idle seconds."""

KEPT_TOKENS = 4096
"""What the server remembers of prompts by default; filled before memory is noted, as that is meant to stay."""

WORKERS = 4
"""Requests under way at once, the schema's own among them."""

KEPT = 30
"""Unexpected answers written out in full."""


@dataclass(frozen=True, slots=True)
class Run:
    """What holds for every request of a run."""

    seed: int
    seconds: float
    """An answer later than this is a hang."""


@dataclass(slots=True)
class Tally:
    """What all workers found."""

    counts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unexpected: list[dict[str, Any]] = field(default_factory=list)
    slowest: float = 0.0
    stopped: bool = False
    """Set where one worker failed: nothing further is counted."""

    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, outcome: Outcome, seconds: float, expected: frozenset[Outcome], what: str) -> None:
        """Count one request.

        Raises:
            RuntimeError: If another worker failed.
        """
        if self.stopped:
            raise RuntimeError("another worker failed")
        with self.lock:
            self.counts[kind][outcome] += 1
            self.slowest = max(self.slowest, seconds)
            if outcome not in expected and len(self.unexpected) < KEPT:
                self.unexpected.append({"kind": kind, "outcome": outcome, "request": what[:600]})

    def of(self, outcome: Outcome) -> int:
        """How many requests ended so."""
        return sum(counts[outcome] for counts in self.counts.values())

    @property
    def total(self) -> int:
        """All of them."""
        return sum(counts.total() for counts in self.counts.values())


def send_drawn(server: ServerProcess, tally: Tally, run: Run, indices: range) -> None:
    """Draw and send one request for each index; the same seed and index draw the same request."""
    share_by_hand = (1 - GENERATED - ODD_FIELDS) / (1 - GENERATED)
    for index in indices:
        chance = random.Random(f"{run.seed} {index}")
        if chance.random() < share_by_hand:
            kind = chance.choices(list(KINDS), [share for share, _, _ in KINDS.values()])[0]
            _, make, expected = KINDS[kind]
        else:
            kind, make, expected = "odd fields", odd_fields, ANSWERED
        attempt = make(chance)
        started = time.perf_counter()
        outcome = send(server.address, attempt, run.seconds)
        sent = b"".join(part[:1000] for part in attempt.parts if isinstance(part, bytes))
        tally.add(kind, outcome, time.perf_counter() - started, expected, sent.decode("latin-1"))


def send_generated(server: ServerProcess, tally: Tally, run: Run, count: int) -> None:
    """Let schemathesis make at most ``count`` requests from the server's schema, valid ones and invalid ones."""
    with urllib.request.urlopen(server.url + "/openapi.json", timeout=run.seconds) as answer:
        schema = schemathesis.openapi.from_dict(json.load(answer))
    operations = [found.ok() for found in schema.get_all_operations()]
    # What reads a body deserves most; /check starts a process for every valid one.
    weights = [1 if one.method == "get" or one.path == "/check" else 8 for one in operations]
    with requests.Session() as session:
        for operation, weight in zip(operations, weights, strict=True):
            modes = [GenerationMode.POSITIVE] + [GenerationMode.NEGATIVE] * (operation.method == "post")
            for mode in modes:
                _generate(server, tally, run, session, operation, mode, count * weight // sum(weights) // len(modes))


def _generate(
    server: ServerProcess,
    tally: Tally,
    run: Run,
    session: requests.Session,
    operation: APIOperation,
    mode: GenerationMode,
    count: int,
) -> None:
    @hypothesis.seed(run.seed)
    @hypothesis.settings(
        max_examples=max(1, count),
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case) -> None:
        started = time.perf_counter()
        try:
            answer = case.call(base_url=server.url, session=session, timeout=run.seconds)
            outcome = str(answer.status_code)
            case.validate_response(answer, checks=[status_code_conformance])
        except FailureGroup:
            outcome += " undocumented"
        except requests.Timeout:
            outcome = "hang"
        except requests.RequestException as error:
            outcome = f"closed ({type(error).__name__})"
        tally.add(f"schema: {operation.label}", outcome, time.perf_counter() - started, ANSWERED, repr(case.body))

    one()


def volley(server: ServerProcess, run: Run, count: int) -> Tally:
    """Send ``count`` requests, ``WORKERS`` at a time."""
    tally = Tally()
    generated = int(GENERATED * count)
    drawn, others = count - generated, WORKERS - 1
    with ThreadPoolExecutor(WORKERS) as pool:
        tasks = [pool.submit(send_generated, server, tally, run, generated)]
        tasks += [pool.submit(send_drawn, server, tally, run, range(worker, drawn, others)) for worker in range(others)]
        try:
            while (now := wait(tasks, timeout=15, return_when=FIRST_EXCEPTION)).not_done:
                for task in now.done:
                    task.result()
                say(f"{tally.total} of {count} requests; {server.vitals()}")
            for task in tasks:
                task.result()
        except BaseException:
            tally.stopped = True
            raise
    # Where an operation has few different requests, schemathesis makes fewer than it may.
    send_drawn(server, tally, run, range(drawn, drawn + count - tally.total))
    return tally


def fill_kept_prompts(server: ServerProcess, run: Run) -> None:
    """Send prompts that begin differently until the server remembers as many of their tokens as it may."""
    words = " word" * (min(400, server.context_length() // 8))
    for number in range(2 * KEPT_TOKENS // 300):
        if server.metrics()["kv_cache_tokens"] > 0.9 * KEPT_TOKENS:
            return
        body = {"prompt": f"{number}{words}", "max_tokens": 1}
        requests.post(server.url + "/v1/completions", json=body, timeout=run.seconds).raise_for_status()


def measure(server: ServerProcess, run: Run, count: int) -> dict[str, Any]:
    """Warm up, note the vitals, send everything, and note them again once all is at rest."""
    volley(server, replace(run, seed=run.seed + 1), max(100, count // 10))
    fill_kept_prompts(server, run)
    warm = server.at_rest(run.seconds)
    time.sleep(IDLE_SECONDS)
    kept = server.metrics()["kv_cache_tokens"]
    before, started = server.vitals(), time.monotonic()
    tally = volley(server, run, count)
    elapsed = time.monotonic() - started
    at_rest = warm and server.at_rest(run.seconds, before)
    time.sleep(IDLE_SECONDS)
    after, metrics = server.vitals(), server.metrics()
    complaints = server.complaints()
    failed = {name: int(value) for name, value in metrics.items() if name == 'requests_total{status="500"}'}
    return {
        "passed": at_rest and not (tally.of("500") or tally.of("hang") or failed or tally.unexpected or complaints),
        "requests": tally.total,
        "seconds": round(elapsed, 1),
        "status_500": tally.of("500"),
        "hangs": tally.of("hang"),
        "slowest_seconds": round(tally.slowest, 2),
        "outcomes": dict(sum(tally.counts.values(), Counter()).most_common()),
        "kinds": {kind: dict(counts.most_common()) for kind, counts in sorted(tally.counts.items())},
        "unexpected": tally.unexpected,
        "complaints_in_the_log": complaints[:KEPT],
        "counted_by_the_server": requests_counted(metrics),
        "before": asdict(before),
        "after": asdict(after),
        "at_rest_as_before": at_rest,
        "resident_growth": round(after.resident_kib / before.resident_kib - 1, 4),
        "kept_prompt_tokens": [kept, metrics["kv_cache_tokens"]],
    }


def main() -> int:
    """Run, write the record, and say whether it passed."""
    parser = parser_of(__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="an answer later than this is a hang")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--target", asked.target, "--security", asked.security, *LIMITS]
        log = ["--audit-log", str(Path(folder) / "audit.jsonl"), "--audit-log-text", "--audit-log-megabytes", "4"]
        with server_process(Path(folder), [*flags, *log]) as server:
            found = measure(server, Run(asked.seed, asked.seconds), asked.requests)
    record = {
        "command": f"python benchmarks/fuzzing.py OUT --requests {asked.requests} --seed {asked.seed}",
        "server": " ".join(["cosec serve", *flags, "--audit-log FILE --audit-log-text"]),
        **found,
        "environment": {**environment(), **{name: version(name) for name in PACKAGES if find_spec(name)}},
    }
    asked.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    say(json.dumps({name: record[name] for name in ("passed", "requests", "seconds", "outcomes", "before", "after")}))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
