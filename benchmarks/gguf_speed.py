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

WARM_UP = 4
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
        self._weights = weights  # freed with the loop, not before it

    def _decode(self, tokens: list[tuple[int, int, int, bool]]) -> None:
        self._batch.n_tokens = len(tokens)
        for index, (token, position, row, wanted) in enumerate(tokens):
            self._batch.token[index], self._batch.pos[index] = token, position
            self._batch.n_seq_id[index], self._batch.seq_id[index][0] = 1, row
            self._batch.logits[index] = wanted
        assert self._c.llama_decode(self._context, self._batch) == 0

    def seconds_per_token(self, tokens: int) -> float:
        """Seconds of one token of every row, over so many tokens."""
        memory = self._c.llama_get_memory(self._context)
        self._c.llama_memory_clear(memory, False)
        *read, last = self._prompt
        self._decode([(token, position, 0, position == 0) for position, token in enumerate(read)])
        for row in range(1, self._rows):
            self._c.llama_memory_seq_cp(memory, 0, row, -1, -1)
        pending, position, begun = [last] * self._rows, len(read), 0.0
        for step in range(WARM_UP + tokens):
            if step == WARM_UP:
                begun = time.perf_counter()
            self._decode([(token, position + step, row, True) for row, token in enumerate(pending)])
            pending = [self._c.llama_sampler_sample(self._sampler, self._context, row) for row in range(self._rows)]
        return (time.perf_counter() - begun) / tokens

    def close(self) -> None:
        """Free the context."""
        self._c.llama_free(self._context)


def engine_seconds_per_token(pair: PreparedPair, prompt: tuple[int, ...], batch: int, tokens: int) -> float:
    """The same for our engine with the target alone, sampling at temperature 0."""
    settings = decoding_settings({}, {"temperature": 0.0, "max_new_tokens": 512}).for_one_model()
    requests = [SequenceRequest(prompt_ids=prompt, sample_index=row, max_new_tokens=512) for row in range(batch)]
    run = Run(pair.target_lane(), rule_for(settings), settings, requests)
    for _ in range(WARM_UP):
        run.step()
    begun = time.perf_counter()
    for _ in range(tokens):
        run.step()
    return (time.perf_counter() - begun) / tokens


def against_the_library(
    pair: PreparedPair, prompt: tuple[int, ...], batch: int, chosen: argparse.Namespace
) -> dict[str, float]:
    """Milliseconds of a token in llama.cpp's own loop and in our engine, in alternation, and their ratio."""
    assert isinstance(pair.pair, GgufPair)
    target = pair.pair.target
    loop = LibraryLoop(Weights(target.file, target.name), prompt, batch, torch.get_num_threads())
    rounds = [
        (loop.seconds_per_token(chosen.tokens), engine_seconds_per_token(pair, prompt, batch, chosen.tokens))
        for _ in range(chosen.rounds + 1)
    ][1:]
    loop.close()
    theirs, ours = (1000 * median(times) for times in zip(*rounds, strict=True))
    return {"library_ms": theirs, "engine_ms": ours, "ratio": median(two / one for one, two in rounds)}


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
    prompt = tuple(pair.tokenizer(text).input_ids)
    names = {role: Path(name).name for role, name in (("target", chosen.target), ("security", chosen.security))}
    record: dict[str, Any] = {**vars(chosen), **names, "out": chosen.out.name, "batches": []}
    record["load_before"] = os.getloadavg()
    for batch in chosen.batch:
        row: dict[str, Any] = {"batch": batch}
        if chosen.runtime == "llama.cpp":
            row["alone"] = alone = against_the_library(pair, prompt, batch, chosen)
            sys.stderr.write(f"batch {batch}: engine/library {alone['ratio']:.3f} of {alone['library_ms']:.1f} ms\n")
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
    # As `cosec generate` decodes without this flag and with it; each row's "mode" says what ran.
    parser.add_argument("--target-records", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=32)
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
