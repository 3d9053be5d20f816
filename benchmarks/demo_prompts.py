"""How often a target alone, or hardened, writes the weakness that each demo prompt invites.

    python benchmarks/demo_prompts.py --arm origin --out docs/results/demo-prompts/origin.jsonl
    python benchmarks/demo_prompts.py --arm hardened --out docs/results/demo-prompts/hardened.jsonl

Each line of the output is one completion with the verdict of the static checks; the last holds the sums. The demo
prompts were chosen by what the first command says, and not by the second.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cosec import load_pair
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import carried_rule
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.environment import environment
from cosec.evaluation.judging.prompt_verdict import prompt_verdict
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from cosec.models.loading.embedded import DEFAULT_TARGET


def judged(target: str, security: str, arm: str, n: int, seed: int) -> Iterator[dict[str, object]]:
    """Complete every demo prompt ``n`` times, and check each completion."""
    prompts = demo_prompts()
    sampling = {"temperature": 0.4, "top_p": 0.95, "max_new_tokens": 96, "seed": seed, "code_end": "function"}
    settings = decoding_settings(carried_rule(target, security), sampling)
    pair = load_pair(target, security, rows=len(prompts))
    completer = Completer(pair, settings, alone="target" if arm == "origin" else None, rows=len(prompts))
    pieces = completer.stream([one.text for one in prompts], n=n)
    for one in (piece.completion for piece in pieces if piece.completion is not None):
        prompt = prompts[one.prompt_index]
        found = prompt_verdict(prompt, one.text)
        yield {
            "prompt": prompt.file,
            "sample": one.sample_index,
            "insecure": found.insecure,
            "secure": found.secure,
            "text": one.text,
        }


def main() -> None:
    """Write one line for each completion, and one with the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default=DEFAULT_TARGET)
    parser.add_argument("--security", default="default")
    parser.add_argument("--arm", choices=("origin", "hardened"), required=True)
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    rows = list(judged(asked.target, asked.security, asked.arm, asked.n, asked.seed))
    rows.sort(key=lambda row: (str(row["prompt"]), row["sample"]))
    insecure = Counter(str(row["prompt"]) for row in rows if row["insecure"])
    told = {key: value for key, value in vars(asked).items() if key != "out"}
    rows.append({"settings": told, "insecure": dict(insecure), "of": asked.n, "environment": environment()})
    asked.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(json.dumps(rows[-1]["insecure"], indent=1))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
