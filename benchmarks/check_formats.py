"""How the number format of a security model, and the pieces in which a text is checked, change its decisions.

Reads the last two thirds of demo prompts as a target's text, in pieces of several sizes, in float32 and in bfloat16.
Prints JSON: the divergences in each format compared with float32, and with those of the largest pieces.

    OMP_NUM_THREADS=1 python benchmarks/check_formats.py --security qwen2.5-coder-0.5b
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cosec.decoding.blackbox.loading import load_reader
from cosec.decoding.blackbox.reading import SecurityReader
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.environment import environment
from cosec.evaluation.tasks.demo_prompts import demo_prompts

_SETTINGS = decoding_settings({"name": "gate", "strength": 1e9, "plausibility_floor": 0.0}, {"temperature": 0.0})
"""A gate that no divergence opens, so that every format reads the same text."""


@dataclass
class Reading:
    """What one format and size of pieces gave."""

    divergences: list[float]
    """One for each token."""

    milliseconds: float
    """Processor time of a token."""


def read(reader: SecurityReader, prompts: Sequence[str], piece: int) -> Reading:
    """Check the last two thirds of each prompt in pieces of a number of characters."""
    divergences, spent = [], 0.0
    for prompt in prompts:
        cut = len(prompt) // 3
        checks = reader.open(tuple(reader.pair.tokenizer(prompt[:cut]).input_ids), 0, _SETTINGS)
        rest, waiting = prompt[cut:], ""
        while rest or waiting:
            waiting, rest = waiting + rest[:piece], rest[piece:]
            began = time.process_time()
            check = checks.check(waiting, final=not rest)
            spent += time.process_time() - began
            divergences += [one.divergence for one in check.records]
            waiting = waiting[check.taken :]
    return Reading(divergences, 1e3 * spent / len(divergences))


def compared(found: Reading, other: Reading, threshold: float) -> dict[str, float]:
    """Differences of two readings of the same text."""
    pairs = list(zip(found.divergences, other.divergences, strict=True))
    return {
        "mean_difference": statistics.fmean(abs(mine - its) for mine, its in pairs),
        "largest_difference": max(abs(mine - its) for mine, its in pairs),
        "decisions_that_differ": sum((mine > threshold) != (its > threshold) for mine, its in pairs),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--security", default="qwen2.5-coder-0.5b", help="adapter, or embedded model for the one that ships"
    )
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument(
        "--pieces", type=int, nargs="+", default=[130, 60, 40, 20], help="characters, the largest first"
    )
    parser.add_argument("--threshold", type=float, default=0.1, help="divergence above which a position is a decision")
    given = parser.parse_args()
    prompts = [one.text for one in demo_prompts()[: given.prompts]]
    results: dict[str, dict[int, Reading]] = {}
    for dtype in ("float32", "bfloat16"):
        reader = load_reader(given.security, dtype=dtype)
        results[dtype] = {piece: read(reader, prompts, piece) for piece in given.pieces}
    largest = given.pieces[0]
    exact = results["float32"][largest]
    rows = [
        {
            "dtype": dtype,
            "characters_of_a_piece": piece,
            "processor_milliseconds_per_token": round(one.milliseconds, 1),
            "decisions": sum(divergence > given.threshold for divergence in one.divergences),
            "to_float32": compared(one, exact, given.threshold),
            "to_largest_pieces": compared(one, results[dtype][largest], given.threshold),
        }
        for dtype, readings in results.items()
        for piece, one in readings.items()
    ]
    record = {"arguments": vars(given), "tokens": len(exact.divergences), "rows": rows, "environment": environment()}
    sys.stdout.write(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
