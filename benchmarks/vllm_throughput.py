"""How fast vLLM with our rules is, beside our own server: `benchmarks/vllm_throughput.py OUT --vllm-python PYTHON`.

All servers run at the same time, and 25 requests at once go to one after the other, in turns, as machines change their
speed from minute to minute: our own server, vLLM with the plugin at each draft length, and both without a security
model. Prompts and seeds are the same, so all hardened servers write the same texts. vLLM alone gets no seeds: on a
processor its own sampler fails where a prompt is read in pieces and the request has a seed. It needs an idle machine,
16 GB of memory, and ten to fifteen minutes on two cores. Writes one JSON file.

vLLM keeps one processor for its front end; VLLM_CPU_NUM_OF_RESERVED_CPU=0 gives its engine all, as ours has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from serving_process import ServerProcess, server_process

from cosec.evaluation.environment import environment
from cosec.evaluation.load import LoadResult, Target, measure_load
from cosec.evaluation.tasks.demo_prompts import demo_prompts

PROMPTS = [one.text for one in demo_prompts()]

UNSEEDED = "vllm-unhardened"
"""The server whose requests have no seed."""


def flags_of(given: argparse.Namespace, passed_on: Sequence[str]) -> dict[str, list[str]]:
    """The flags of `cosec serve` for each server."""
    rule = ["--rule", given.rule]
    common = ["--target", given.target, "--dtype", "float32"]
    vllm = [*common, "--engine", "vllm", "--vllm-python", given.vllm_python]
    room = ["--max-model-len", "1024", "--kv-cache-memory-bytes", str(2**29), *passed_on]
    return {
        "own": [*common, *rule],
        "own-unhardened": [*common, "--security", "none"],
        **{f"vllm-k{k}": [*vllm, *rule, "--draft-length", str(k), *room] for k in given.draft_lengths},
        UNSEEDED: [*vllm, "--security", "none", *room],
    }


@contextmanager
def servers(flags: dict[str, list[str]], model: str) -> Iterator[dict[str, tuple[ServerProcess, Target]]]:
    """All servers, started one after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = {}
        for name, own in flags.items():
            (folder / name).mkdir()
            process = stack.enter_context(server_process(folder / name, own))
            running[name] = (process, Target(url=process.url, model=model))
        yield running


def measure(given: argparse.Namespace, flags: dict[str, list[str]]) -> dict[str, Any]:
    """Throughput of each server, in turns."""
    found: dict[str, list[LoadResult]] = {}
    accepted: dict[str, float] = {}
    with servers(flags, given.target) as running:
        for name, (_, target) in running.items():  # warms up
            measure_load(target, PROMPTS, streams=25, requests=25, max_tokens=4, seeded=name != UNSEEDED)
        names = list(running)
        for turn in range(given.rounds):
            first = turn % len(names)
            for name in (*names[first:], *names[:first]):
                load = measure_load(
                    running[name][1],
                    PROMPTS,
                    streams=given.streams,
                    requests=given.streams,
                    max_tokens=given.tokens,
                    temperature=0.8,
                    seeded=name != UNSEEDED,
                )
                found.setdefault(name, []).append(load)
        for name, (process, _) in running.items():
            counts = process.metrics()
            if counts.get("draft_tokens_total"):
                accepted[name] = counts["accepted_tokens_total"] / counts["draft_tokens_total"]
    speeds = {name: [one.tokens_per_second for one in loads] for name, loads in found.items()}
    return {
        "streams": given.streams,
        "max_tokens": given.tokens,
        "tokens_per_second": {name: median(one) for name, one in speeds.items()},
        "ratios": {f"{one} over {other}": ratio(speeds, one, other) for one, other in compared(given.draft_lengths)},
        "accepted_share": accepted,
        "loads": {name: [asdict(one) for one in loads] for name, loads in found.items()},
    }


def compared(draft_lengths: Sequence[int]) -> Iterator[tuple[str, str]]:
    """Which servers are compared: vLLM with ours, and hardened with unhardened."""
    for k in draft_lengths:
        yield f"vllm-k{k}", "own"
    yield UNSEEDED, "own-unhardened"
    for k in draft_lengths:
        yield f"vllm-k{k}", UNSEEDED
    yield "own", "own-unhardened"


def ratio(speeds: dict[str, list[float]], one: str, other: str) -> float:
    """The median over the rounds."""
    return median(a / b for a, b in zip(speeds[one], speeds[other], strict=True))


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--vllm-python", required=True, help="interpreter that has vLLM and cosec")
    parser.add_argument("--target", default="smollm2-135m")
    parser.add_argument("--rule", default="threshold")
    parser.add_argument("--streams", type=int, default=25)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--draft-lengths", type=int, nargs="+", default=[1, 2, 4])
    given, passed_on = parser.parse_known_args()  # other options go to vLLM
    flags = flags_of(given, passed_on)
    code = "import importlib.metadata, torch; print(importlib.metadata.version('vllm-cpu'), torch.__version__)"
    versions = subprocess.run([given.vllm_python, "-c", code], capture_output=True, text=True, check=True).stdout
    measured = measure(given, flags)
    record = {
        "command": f"python benchmarks/vllm_throughput.py OUT {' '.join(sys.argv[2:])}",
        "flags": {name: " ".join(own) for name, own in flags.items()},
        **measured,
        "environment": environment() | {"vllm and its torch": versions.strip()},
        "variables": {name: value for name, value in os.environ.items() if name.startswith(("VLLM_", "OMP_"))},
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: measured[name] for name in ("tokens_per_second", "ratios", "accepted_share")}, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
