"""How far a quantised copy's law is from the adapter's: `benchmarks/copy_distance.py TARGET [--texts 16]`.

Makes a Q4_0 copy of the target with its default adapter added, and one without. At places in the secure references of
our scenarios it compares the distributions of `steer`, and the decisions of `gate`, with those of the adapter itself.
It measures no time, so the machine may be busy.
"""

from __future__ import annotations

import argparse
import importlib.resources
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from cosec.models.loading.quantised import GgufPair, load_gguf_pair
from cosec.runtime import quantise
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights

READ, STEP, LONGEST, GATE = 20, 8, 100, 0.1
"""Tokens read first, tokens a pass, tokens a text, and the divergence (nats) above which `gate` decides."""


def log_probs(file: Path, adapter: Path | None, texts: list[list[int]], vocabulary: int) -> Tensor:
    """The log-probabilities at every place, in 16 bits to save memory."""
    weights = Weights(file, file.name)
    model = LlamaTokenModel(Context(weights, None if adapter is None else weights.adapter(adapter)), vocabulary)
    found = []
    for ids in texts:
        run = model.prefill([ids[:READ]])
        for start in range(READ, len(ids), STEP):
            scored = run.advance(torch.tensor([ids[start : start + STEP]]))
            found.append(scored[0].clone().log_softmax(-1).half())
        run.select([])
    return torch.cat(found)


def total_variation(one: Tensor, other: Tensor) -> float:
    """Mean over places."""
    return float((one.float().exp() - other.float().exp()).abs().sum(-1).mean() / 2)


def steered(target: Tensor, security: Tensor, base: Tensor, strength: float) -> Tensor:
    """Log-probabilities of `steer`."""
    return (target.float() + strength * (security.float() - base.float())).log_softmax(-1)


def decisions(security: Tensor, base: Tensor) -> Tensor:
    """The places at which `gate` decides."""
    return (security.float().exp() * (security.float() - base.float())).sum(-1) > GATE


def main(pair: GgufPair, texts: list[list[int]]) -> None:
    """Print the distances."""
    assert pair.adapter is not None
    size = len(pair.target.tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        merged, plain = Path(folder) / "merged.gguf", Path(folder) / "plain.gguf"
        quantise(pair.target.file, merged, threads=1, adapter=pair.adapter.file)
        quantise(pair.target.file, plain, threads=1)
        target = log_probs(pair.target.file, None, texts, size)
        adapted = log_probs(pair.target.file, pair.adapter.file, texts, size)
        copy, copied_base = (log_probs(file, None, texts, size) for file in (merged, plain))
    print(f"{len(target)} places; the adapter changes {total_variation(target, adapted):.3f}")  # noqa: T201
    print(f"security model alone: {total_variation(copy, adapted):.3f}")  # noqa: T201
    for name, base in (("the target's file", target), ("a Q4_0 copy", copied_base)):
        for strength in (1.0, 2.0):
            expected = steered(target, adapted, target, strength)
            found = total_variation(steered(target, copy, base, strength), expected)
            print(f"steer {strength:.0f}, base is {name}: {found:.3f}")  # noqa: T201
        gated = decisions(copy, base).float().mean()
        expected_share = decisions(adapted, target).float().mean()
        print(f"gate decides at {gated:.1%}, base is {name}; {expected_share:.1%} with the adapter")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("--texts", type=int, default=16)
    chosen = parser.parse_args()
    opened = load_gguf_pair(chosen.target, "default")
    scenarios = Path(str(importlib.resources.files("cosec"))) / "data" / "scenarios"
    files = sorted(scenarios.glob("cwe-*/*/secure-1.*"))
    chosen_files = files[:: max(1, len(files) // chosen.texts)][: chosen.texts]
    main(
        opened, [opened.target.tokenizer(file.read_text(encoding="utf-8")).input_ids[:LONGEST] for file in chosen_files]
    )
