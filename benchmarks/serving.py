"""What serving costs beside the bare engine, on the embedded model: `benchmarks/serving.py batch|single|audit OUT`.

batch: 32 streams of the demo's prompts against the engine's own speed with 32 rows. single: one stream against the
engine's time per token and its prefill. audit: audit log and metrics on against off. Everything is measured in turns,
as machines change their speed from minute to minute. Each writes one JSON file with the versions. Run it on an idle
machine; every part takes two to four minutes on two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from cosec import load_pair
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.evaluation.environment import environment
from cosec.evaluation.load import LoadResult, Target, measure_load
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.server import Server, build_service, in_a_thread_that_ends
from cosec.serving.settings import ServerSettings

MODEL = "smollm2-135m"
PROMPTS = [one.text for one in demo_prompts()]
STREAMS = 32


def host(measured: bool, prefix_cache_tokens: int) -> None:
    """Serve on a free port until killed; the address is the only line on standard output."""
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "audit.jsonl", max_bytes=2**26, with_text=False) if measured else None
        limits = ServerSettings(prefix_cache_tokens=prefix_cache_tokens)
        pair = in_a_thread_that_ends(lambda: load_pair(MODEL))
        rule = {"name": "threshold"}  # as the bare engine's, whatever the adapter carries
        service = build_service(pair, (MODEL,), limits=limits, rule=rule, audit_log=log, metrics=measured)
        Server(service, None, "127.0.0.1", 0).serve_until_stopped(lambda url: print(url, flush=True))  # noqa: T201 - for the parent


@contextmanager
def server(*, measured: bool = True, prefix_cache_tokens: int = 4096) -> Iterator[Target]:
    """A server in a process of its own, warmed up."""
    asked = [sys.executable, __file__, "host", str(int(measured)), str(prefix_cache_tokens)]
    process = subprocess.Popen(asked, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        target = Target(url=process.stdout.readline().strip())
        measure_load(target, PROMPTS, streams=2, requests=2, max_tokens=4)
        yield target
    finally:
        process.terminate()
        process.wait()


def engine(pair: PreparedPair, prompts: Sequence[str], tokens: int) -> tuple[float, float]:
    """The bare engine on these prompts, one a row: seconds of a step (median), and of reading the prompts."""
    sampling = SamplingSettings(temperature=0.4, top_p=0.95, max_new_tokens=tokens)
    settings = DecodingSettings(sampling=sampling)
    requests = [
        SequenceRequest(prompt_ids=tuple(pair.tokenizer(text).input_ids), sample_index=row, max_new_tokens=tokens)
        for row, text in enumerate(prompts)
    ]
    started = time.perf_counter()
    run = Run(pair.lanes("auto"), rule_for(settings), settings, requests)
    read = time.perf_counter() - started
    seconds = []
    while run.active:
        started = time.perf_counter()
        run.step()
        seconds.append(time.perf_counter() - started)
    return median(seconds), read


def batch() -> dict[str, Any]:
    """Aggregate tokens per second of 32 streams, and the gaps between their tokens, in turns with the bare engine."""
    pair, rounds = load_pair(MODEL), []
    mixed = [PROMPTS[row % len(PROMPTS)] for row in range(STREAMS)]
    with server() as target:
        measure_load(target, PROMPTS, streams=STREAMS, requests=STREAMS, max_tokens=4)  # each prompt is read once
        for _ in range(3):
            served = measure_load(target, PROMPTS, streams=STREAMS, requests=3 * STREAMS, max_tokens=64)
            assert served.gap_p95 is not None
            assert served.gap_median is not None
            same, one = engine(pair, mixed, 64)[0], engine(pair, PROMPTS[:1] * STREAMS, 64)[0]
            rounds.append(
                {
                    "served": asdict(served),
                    "share_of_engine_on_the_same_prompts": served.tokens_per_second * same / STREAMS,
                    "share_of_engine_on_one_prompt": served.tokens_per_second * one / STREAMS,
                    "gap_p95_over_median": served.gap_p95 / served.gap_median,
                }
            )
    return _with_medians(rounds)


def single() -> dict[str, Any]:
    """One stream; nothing is remembered of earlier prompts, so that every first token needs a whole prefill."""
    pair = load_pair(MODEL)
    with server(prefix_cache_tokens=0) as target:
        return {
            name: {
                "prompt_tokens": len(pair.tokenizer(prompt).input_ids),
                **_with_medians(_turns(pair, target, prompt)),
            }
            for name, prompt in (("one prompt", PROMPTS[0]), ("a long prompt", "\n\n".join(PROMPTS[:5])))
        }


def _turns(pair: PreparedPair, target: Target, prompt: str) -> list[dict[str, Any]]:
    """Server and engine in turns on one prompt."""
    rounds = []
    for _ in range(8):
        served = measure_load(target, [prompt], streams=1, requests=2, max_tokens=40)
        step, read = engine(pair, [prompt], 40)
        assert served.gap_median is not None
        assert served.first_token_median is not None
        rounds.append(
            {
                "prompt_tokens": len(pair.tokenizer(prompt).input_ids),
                "served": asdict(served),
                "engine_step_seconds": step,
                "engine_prefill_seconds": read,
                "seconds_per_token_over_engine": served.gap_median / step,
                "first_token_over_prefill": served.first_token_median / read,
                "first_token_over_prefill_and_step": served.first_token_median / (read + step),
            }
        )
    return rounds


def _with_medians(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rounds, and the median of every figure that is one number."""
    names = [name for name, value in rounds[0].items() if isinstance(value, float)]
    return {**{name: median(one[name] for one in rounds) for name in names}, "rounds": list(rounds)}


def audit() -> dict[str, Any]:
    """Throughput of 8 streams with audit log and metrics, and without, in turns."""
    found: dict[str, list[LoadResult]] = {"on": [], "off": []}
    with server(measured=True) as on, server(measured=False) as off:
        for turn in range(10):
            pair = (("on", on), ("off", off))
            for name, target in pair if turn % 2 else reversed(pair):
                found[name].append(measure_load(target, PROMPTS, streams=8, requests=16, max_tokens=32))
    speeds = {name: [one.tokens_per_second for one in results] for name, results in found.items()}
    ratios = [one / other for one, other in zip(speeds["on"], speeds["off"], strict=True)]
    return {"tokens_per_second": speeds, "on_over_off": median(ratios), "ratios": ratios}


if __name__ == "__main__":
    if sys.argv[1] == "host":
        host(bool(int(sys.argv[2])), int(sys.argv[3]))
    else:
        measured = {"batch": batch, "single": single, "audit": audit}[sys.argv[1]]()
        record = {"command": f"python benchmarks/serving.py {sys.argv[1]}", **measured, "environment": environment()}
        Path(sys.argv[2]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(measured)[:300])  # noqa: T201
