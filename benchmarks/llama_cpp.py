"""What hardening costs over llama.cpp: `benchmarks/llama_cpp.py TARGET SECURITY OUT [BATCH ...]`.

Two GGUF models (or pulled embedded ones, or an adapter). In one sitting and in alternation: llama.cpp's own loop with
its own greedy sampler, our engine with the target alone, and hardened under each rule, for each batch (1, 4 and 16) and
draft length (1, 4 and auto). Writes one JSON file with medians, alpha, c and v(k), memory, and the load before and
after. Run it on an idle machine; it takes about ten minutes for 1.5B beside 0.5B.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch

from cosec import PreparedPair, load_pair
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import decoding_settings
from cosec.evaluation.environment import environment
from cosec.evaluation.speed import measure_speed
from cosec.evaluation.tasks.demo_prompts import demo_prompts
from cosec.models.loading.quantised import GgufPair
from cosec.runtime.llama_cpp.binding import library
from cosec.runtime.llama_cpp.weights import Weights

ROUNDS, WARM_UP, TOKENS = 5, 4, 32
RULES: dict[str, dict[str, object]] = {
    "threshold": {"name": "threshold"},
    "speculative": {"name": "speculative"},
    "steer": {"name": "steer", "strength": 1.0},
    "gate": {"name": "gate", "strength": 0.1},
}


class LibraryLoop:
    """The shortest loop over llama.cpp's own functions: one pass and one greedy choice for each token."""

    def __init__(self, weights: Weights, prompt: tuple[int, ...], batch: int, threads: int) -> None:
        self._c = library()
        params = self._c.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = 4096, batch, True
        params.n_threads = params.n_threads_batch = threads
        self._context = self._c.llama_init_from_model(weights.handle, params)
        self._sampler = self._c.llama_sampler_init_greedy()
        self._batch = self._c.llama_batch_init(max(batch, len(prompt)), 0, 1)
        self._prompt, self._rows = prompt, batch

    def _decode(self, tokens: list[tuple[int, int, int, bool]]) -> None:
        self._batch.n_tokens = len(tokens)
        for index, (token, position, row, wanted) in enumerate(tokens):
            self._batch.token[index], self._batch.pos[index] = token, position
            self._batch.n_seq_id[index], self._batch.seq_id[index][0] = 1, row
            self._batch.logits[index] = wanted
        assert self._c.llama_decode(self._context, self._batch) == 0

    def seconds_per_token(self) -> float:
        """Seconds of one token of every row, over the timed tokens."""
        memory = self._c.llama_get_memory(self._context)
        self._c.llama_memory_clear(memory, False)
        *read, last = self._prompt
        self._decode([(token, position, 0, position == 0) for position, token in enumerate(read)])
        for row in range(1, self._rows):
            self._c.llama_memory_seq_cp(memory, 0, row, -1, -1)
        pending, position, begun = [last] * self._rows, len(read), 0.0
        for step in range(WARM_UP + TOKENS):
            if step == WARM_UP:
                begun = time.perf_counter()
            self._decode([(token, position + step, row, True) for row, token in enumerate(pending)])
            pending = [self._c.llama_sampler_sample(self._sampler, self._context, row) for row in range(self._rows)]
        return (time.perf_counter() - begun) / TOKENS

    def close(self) -> None:
        """Free the context."""
        self._c.llama_free(self._context)


def engine_seconds_per_token(pair: PreparedPair, prompt: tuple[int, ...], batch: int) -> float:
    """The same for our engine with the target alone, sampling at temperature 0."""
    settings = decoding_settings({}, {"temperature": 0.0, "max_new_tokens": 512}).for_one_model()
    requests = [SequenceRequest(prompt_ids=prompt, sample_index=row, max_new_tokens=512) for row in range(batch)]
    run = Run(pair.target_lane(), rule_for(settings), settings, requests)
    for _ in range(WARM_UP):
        run.step()
    begun = time.perf_counter()
    for _ in range(TOKENS):
        run.step()
    return (time.perf_counter() - begun) / TOKENS


def against_the_library(pair: PreparedPair, prompt: tuple[int, ...], batch: int, threads: int) -> dict[str, float]:
    """Milliseconds of a token in llama.cpp's own loop and in our engine, in alternation, and their ratio."""
    assert isinstance(pair.pair, GgufPair)
    target = pair.pair.target
    loop = LibraryLoop(Weights(target.file, target.name), prompt, batch, threads)
    rounds = [(loop.seconds_per_token(), engine_seconds_per_token(pair, prompt, batch)) for _ in range(ROUNDS + 1)][1:]
    loop.close()
    theirs, ours = (1000 * median(times) for times in zip(*rounds, strict=True))
    return {"library_ms": theirs, "engine_ms": ours, "ratio": median(two / one for one, two in rounds)}


def hardened(pair: PreparedPair, text: str, batch: int) -> list[dict[str, Any]]:
    """Every rule that the pair allows, with each draft length."""
    rows = []
    for name, rule in RULES.items():
        chosen = decoding_settings(rule, {}).rule
        if chosen.contrast == "base" and not pair.has_base:
            continue
        for draft_length in (1, 4, "auto"):
            result = measure_speed(
                pair, text, batch=batch, draft_length=draft_length, rounds=ROUNDS, tokens=TOKENS, rule=chosen
            )
            rows.append({"rule": name, "asked_draft_length": draft_length, **asdict(result)})
            sys.stderr.write(f"batch {batch} {name} k={draft_length}: ratio {result.ratio:.2f}\n")
    return rows


def main(target: str, security: str, out: Path, batches: list[int]) -> None:
    """Measure every batch, and write what is known after each."""
    pair = load_pair(target, security, runtime="llama.cpp")
    text = max((one.text for one in demo_prompts()), key=len)
    prompt = tuple(pair.tokenizer(text).input_ids)
    record: dict[str, Any] = {"target": target, "security": security, "load_before": os.getloadavg(), "batches": []}
    for batch in batches:
        alone = against_the_library(pair, prompt, batch, torch.get_num_threads())
        sys.stderr.write(f"batch {batch}: engine/library {alone['ratio']:.3f}\n")
        record["batches"].append({"batch": batch, "alone": alone, "hardened": hardened(pair, text, batch)})
        record |= {"load_after": os.getloadavg(), "environment": environment()}
        out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), [int(one) for one in sys.argv[4:]] or [1, 4, 16])
