"""How far next-token distributions in bfloat16 are from those in float32, in a batch of different prompts in torch.

    python benchmarks/bfloat16_agreement.py qwen2.5-coder-1.5b OUT.json

The model continues the first twelve problems of HumanEval by its most likely tokens in float32; the same tokens are fed
in bfloat16. Places after the end of a text do not count. Needs HumanEval, as ``cosec evaluate`` does.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from cosec import load_pair
from cosec.evaluation.environment import environment
from cosec.evaluation.tasks.problems import human_eval

PROMPTS, TOKENS = 12, 40


def distributions(model: str, dtype: str, given: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Continue the prompts.

    Args:
        model: The model's name.
        dtype: ``float32`` or ``bfloat16``.
        given: Tokens to feed, shape (prompts, tokens); None feeds the most likely ones.

    Returns:
        Log-probabilities at each place, shape (prompts, tokens, vocabulary), the tokens fed, shape (prompts, tokens),
        and which places are not after the end of their text, shaped alike.
    """
    pair = load_pair(model, "none", runtime="torch", dtype=dtype, rows=PROMPTS)
    prompts = [pair.tokenizer(one.prompt)["input_ids"] for one in human_eval()[:PROMPTS]]
    rows = pair.target_model().prefill([ids[:-1] for ids in prompts])
    last = torch.tensor([[ids[-1]] for ids in prompts])
    found, fed = [], []
    for step in range(TOKENS):
        found.append(rows.advance(last).log_softmax(-1)[:, -1])
        last = found[-1].argmax(-1, keepdim=True) if given is None else given[:, step : step + 1]
        fed.append(last)
    tokens = torch.cat(fed, 1)
    ends = torch.isin(tokens, torch.tensor(sorted(pair.stop_token_ids))).long()
    return torch.stack(found, 1), tokens, ends.cumsum(1) == ends


def main() -> None:
    """Write one file with the agreement of a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    exact, tokens, counted = distributions(asked.model, "float32", None)
    rounded = distributions(asked.model, "bfloat16", tokens)[0]
    exact, rounded = exact[counted], rounded[counted]
    divergence = (exact.exp() * (exact - rounded)).sum(-1)
    result = {
        "model": asked.model,
        "places": divergence.numel(),
        "mean_kl": float(divergence.mean()),
        "largest_kl": float(divergence.max()),
        "mean_total_variation": float((exact.exp() - rounded.exp()).abs().sum(-1).mean() / 2),
        "other_top_token": float((exact.argmax(-1) != rounded.argmax(-1)).float().mean()),
        "environment": environment(),
    }
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
