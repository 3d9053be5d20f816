"""What hardening costs over llama.cpp: `benchmarks/gguf_speed.py TARGET SECURITY OUT [--batch 1 4 16] [...]`.

Two GGUF models (or pulled embedded ones, or an adapter). In one sitting and in alternation: llama.cpp's own loop with
its own greedy sampler, our engine with the target alone, and hardened, for each batch, rule and draft length. Writes
one JSON file with medians, alpha, c and v(k), memory, and the load. With `--runtime torch` the same models
run in torch, without llama.cpp's loop. Run it on an idle machine; a batch of one takes about a minute for 1.5B.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosec import PreparedPair, load_pair
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.environment import environment
from cosec.evaluation.library_speed import measure_library
from cosec.evaluation.speed import measure_speed
from cosec.evaluation.tasks.demo_prompts import demo_prompts

RULES: dict[str, dict[str, object]] = {
    "threshold": {"name": "threshold"},
    "speculative": {"name": "speculative"},
    "steer": {"name": "steer", "strength": 1.0},
    "steer-1.5": {"name": "steer", "strength": 1.5},
    "gate": {"name": "gate", "strength": 0.1},
}


def hardened(pair: PreparedPair, text: str, batch: int, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Every rule that was asked for and that the pair allows, with each draft length."""
    rows = []
    for name in chosen.rule:
        rule = decoding_settings(RULES[name], {}).rule
        if rule.contrast == "base" and not pair.has_base:
            continue
        for asked in chosen.draft_length:
            length = "auto" if asked == "auto" else int(asked)
            result = measure_speed(
                pair,
                text,
                batch=batch,
                draft_length=length,
                rounds=chosen.rounds,
                tokens=chosen.tokens,
                rule=rule,
                target_records=chosen.target_records,
            )
            rows.append({"rule": name, "asked_draft_length": asked, **asdict(result)})
            sys.stderr.write(
                f"batch {batch} {name} k={asked} {result.mode}: ratio {result.ratio:.2f}, alpha {result.alpha:.2f}, "
                f"c {result.c:.2f}, k {result.draft_length}, {result.peak_mib:.0f} MiB\n"
            )
    return rows


def main(chosen: argparse.Namespace) -> None:
    """Measure every batch, and write what is known after each."""
    pair = load_pair(chosen.target, chosen.security, runtime=chosen.runtime, security_copy=chosen.security_copy)
    text = max((one.text for one in demo_prompts()), key=len)
    names = {role: Path(name).name for role, name in (("target", chosen.target), ("security", chosen.security))}
    record: dict[str, Any] = {**vars(chosen), **names, "out": chosen.out.name, "batches": []}
    record["load_before"] = os.getloadavg()
    for batch in chosen.batch:
        row: dict[str, Any] = {"batch": batch}
        alone = measure_library(pair, text, batch=batch, rounds=chosen.rounds, tokens=chosen.tokens)
        if alone is not None:
            row["alone"] = asdict(alone)
            sys.stderr.write(f"batch {batch}: engine/library {alone.ratio:.3f} of {alone.library_ms:.1f} ms\n")
        record["batches"].append({**row, "hardened": hardened(pair, text, batch, chosen)})
        record |= {"load_after": os.getloadavg(), "environment": environment()}
        chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("security")
    parser.add_argument("out", type=Path)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rule", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--draft-length", nargs="+", default=["1", "4", "auto"])
    parser.add_argument("--runtime", choices=("llama.cpp", "torch"), default="llama.cpp")
    # Decided here and not by what was measured on the machine.
    parser.add_argument("--security-copy", action=argparse.BooleanOptionalAction, default=False)
    # As `cosec serve` decodes without this flag and with it; each row's "mode" says what ran.
    parser.add_argument("--target-records", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=32)
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
