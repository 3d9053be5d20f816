"""What the gate's divergence and the trace take of a decoding step: `benchmarks/rule_overhead.py OUT`.

The embedded model under the gate, one sequence and 25; seconds inside the two pieces against seconds inside the whole
step. Writes one JSON file with the versions. Run it on an idle machine; it takes about a minute.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosec import load_pair
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules.gate import GateRule
from cosec.decoding.rules.schema import GateSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.evaluation.environment import environment
from cosec.evaluation.tasks.demo_prompts import demo_prompts

WARM_UP, STEPS = 8, 80
PIECES = {"divergence": (GateRule, "divergence"), "trace": (Run, "_emit"), "step": (Run, "step")}


def timed(seconds: dict[str, float], name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """``inner``, which adds its seconds to ``name``."""

    def outer(*values: Any) -> Any:
        started = time.perf_counter()
        found = inner(*values)
        seconds[name] += time.perf_counter() - started
        return found

    return outer


def overhead(pair: PreparedPair, batch: int) -> dict[str, float]:
    """Milliseconds of a step and of the two pieces, and the pieces' share."""
    settings = DecodingSettings(rule=GateSettings(strength=0.1), sampling=SamplingSettings(max_new_tokens=512))
    ids = tuple(pair.tokenizer(demo_prompts()[0].text).input_ids)
    rule = GateRule(GateSettings(strength=0.1), settings.sampling)
    requests = [SequenceRequest(prompt_ids=ids, sample_index=index, max_new_tokens=512) for index in range(batch)]
    run = Run(pair.lanes(1, "base"), rule, settings, requests)
    for _ in range(WARM_UP):
        run.step()
    seconds: dict[str, float] = defaultdict(float)
    whole = {name: getattr(owner, attribute) for name, (owner, attribute) in PIECES.items()}
    try:
        for name, (owner, attribute) in PIECES.items():
            setattr(owner, attribute, timed(seconds, name, whole[name]))
        for _ in range(STEPS):
            run.step()
    finally:
        for name, (owner, attribute) in PIECES.items():
            setattr(owner, attribute, whole[name])
    share = (seconds["divergence"] + seconds["trace"]) / seconds["step"]
    return {**{f"{name}_ms": 1000 * value / STEPS for name, value in seconds.items()}, "share_of_step": share}


if __name__ == "__main__":
    pair = load_pair("smollm2-135m", runtime="torch")
    found = {str(batch): overhead(pair, batch) for batch in (1, 25)}
    record = {"command": "python benchmarks/rule_overhead.py", "batch": found, "environment": environment()}
    Path(sys.argv[1]).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found))  # noqa: T201
