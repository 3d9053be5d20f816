"""Time a decoding step with threads that spin at barriers and with threads that sleep, idle and beside a busy process.

    python benchmarks/wait_policy.py docs/results/wait-policy.json

Each measurement is a process of its own, because OpenMP reads its variables once. The policies alternate, so that a
change of the machine's load meets all of them. Units: milliseconds a step of sequences that are hardened by `steer`,
SmolLM2-135M with its default adapter, float32.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROUNDS = 3
WARM_UP, STEPS = 10, 40
CASES = [("idle", 1), ("beside a busy process", 1), ("idle", 25)]
"""What else the machine does, and the number of sequences."""
POLICIES: dict[str, dict[str, str]] = {
    "library's default (spin)": {},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "GOMP_SPINCOUNT=2000": {"GOMP_SPINCOUNT": "2000"},
    "GOMP_SPINCOUNT=4000": {"GOMP_SPINCOUNT": "4000"},
    "GOMP_SPINCOUNT=10000": {"GOMP_SPINCOUNT": "10000"},
}


def measure(rows: int) -> float:
    """The median time of a hardened decoding step of ``rows`` sequences in this process, in milliseconds."""
    import torch

    from cosec import load_pair
    from cosec.decoding.engine import Run, SequenceRequest
    from cosec.decoding.rules import rule_for
    from cosec.decoding.rules.schema import SteerSettings
    from cosec.decoding.settings import DecodingSettings, SamplingSettings

    torch.set_num_threads(os.cpu_count() or 1)
    length = WARM_UP + STEPS + 8
    settings = DecodingSettings(rule=SteerSettings(), sampling=SamplingSettings(max_new_tokens=length))
    request = SequenceRequest(prompt_ids=tuple(range(10, 70)), max_new_tokens=length)
    lanes = load_pair("smollm2-135m", "default", runtime="torch").lanes(1, "base")
    run = Run(lanes, rule_for(settings), settings, [request] * rows)
    seconds = []
    for _ in range(WARM_UP + STEPS):
        began = time.perf_counter()
        run.step()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[WARM_UP:]) * 1e3


def measured(policy: dict[str, str], rows: int) -> float:
    """The same in a process of its own, under a policy."""
    chosen = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    run = subprocess.run(
        [sys.executable, __file__, "--measure", str(rows)],
        env={**environment, **policy},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(run.stdout)


@contextmanager
def busy_process(wanted: bool) -> Iterator[None]:
    """A process that computes on one core all the time."""
    if not wanted:
        yield
        return
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        spinner.kill()
        spinner.wait()


def main(out: Path) -> None:
    """Measure every policy in both cases and write the record."""
    times: dict[str, dict[str, list[float]]] = {}
    for load, rows in CASES:
        case = f"{load}, {rows} sequences" if rows > 1 else load
        times[case] = {name: [] for name in POLICIES}
        with busy_process(load != "idle"):
            for _ in range(ROUNDS):
                for name, policy in POLICIES.items():
                    times[case][name].append(round(measured(policy, rows), 2))
                    print(case, name, times[case][name][-1], flush=True)  # noqa: T201
    record = {
        "command": "python benchmarks/wait_policy.py OUT",
        "unit": "ms a decoding step, median of a process",
        "cores": os.cpu_count(),
        "rounds": ROUNDS,
        "times": times,
        "medians": {case: {name: statistics.median(one) for name, one in by.items()} for case, by in times.items()},
    }
    out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        print(measure(int(sys.argv[2])))  # noqa: T201
    else:
        main(Path(sys.argv[1]))
