"""What serving costs beside the bare engine, on the embedded model: `benchmarks/serving.py batch|single|audit OUT`.

batch: 32 streams of the demo's prompts against the engine's own speed with 32 rows. single: one stream against the
engine's time per token and its prefill. audit: audit log and metrics on against off, in turns. Each writes one JSON
file with the versions. Run it on an idle machine; every part takes two to three minutes on two cores.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from cosec.cli.demo import demo_prompts
from cosec.cli.generate import load
from cosec.evaluation.environment import environment
from cosec.evaluation.speed import SpeedResult, measure_speed
from cosec.serving.audit_log import AuditLog
from cosec.serving.load import LoadResult, Target, measure_load
from cosec.serving.server import Server, build_service
from cosec.serving.settings import ServerSettings

MODEL = "smollm2-135m"
PROMPTS = [one.text for one in demo_prompts()]
STREAMS = 32


def host(measured: bool, prefix_cache_tokens: int) -> None:
    """Serve on a free port until killed; the address is the only line on standard output."""
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder) / "audit.jsonl", max_bytes=2**26, with_text=False) if measured else None
        limits = ServerSettings(prefix_cache_tokens=prefix_cache_tokens)
        service = build_service(
            load(MODEL, "default", "auto", None), (MODEL,), limits=limits, audit_log=log, metrics=measured
        )
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


def engine(batch: int, tokens: int, rounds: int) -> SpeedResult:
    """The bare engine's speed on the demo's first prompt."""
    return measure_speed(load(MODEL, "default", "auto", None), PROMPTS[0], batch=batch, tokens=tokens, rounds=rounds)


def batch() -> dict[str, Any]:
    """Aggregate tokens per second of 32 streams, and the gaps between their tokens."""
    with server() as target:
        served = measure_load(target, PROMPTS, streams=STREAMS, requests=96, max_tokens=64)
    alone = engine(STREAMS, 40, 1)
    bare = STREAMS * 20 / alone.hardened_seconds_per_20
    assert served.gap_p95 is not None
    assert served.gap_median is not None
    return {
        "served": asdict(served),
        "engine": asdict(alone),
        "engine_tokens_per_second": bare,
        "share_of_engine": served.tokens_per_second / bare,
        "gap_p95_over_median": served.gap_p95 / served.gap_median,
    }


def single() -> dict[str, Any]:
    """One stream; nothing is remembered of earlier prompts, so that every first token needs a whole prefill."""
    with server(prefix_cache_tokens=0) as target:
        served = measure_load(target, PROMPTS[:1], streams=1, requests=12, max_tokens=40)
    alone = engine(1, 40, 5)
    step = alone.hardened_seconds_per_20 / 20
    assert served.gap_median is not None
    assert served.first_token_median is not None
    return {
        "served": asdict(served),
        "engine": asdict(alone),
        "seconds_per_token_over_engine": served.gap_median / step,
        "first_token_over_prefill": served.first_token_median / alone.prefill_seconds,
        "first_token_over_prefill_and_step": served.first_token_median / (alone.prefill_seconds + step),
    }


def audit() -> dict[str, Any]:
    """Throughput of 8 streams with audit log and metrics, and without, in turns."""
    found: dict[str, list[LoadResult]] = {"on": [], "off": []}
    with server(measured=True) as on, server(measured=False) as off:
        for _ in range(5):
            for name, target in (("on", on), ("off", off)):
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
        print(json.dumps({name: value for name, value in measured.items() if isinstance(value, float)}))  # noqa: T201
