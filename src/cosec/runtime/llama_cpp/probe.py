"""Score a prompt in several ways on an open model: does the installed llama.cpp do with rows what is expected?"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cosec.errors import ModelError
from cosec.runtime.token_model import TokenModel

_TOLERANCE = 0.5
"""Largest difference of log-probabilities that rounding explains; a wrong row differs by several units."""


def check_llama_cpp(model: TokenModel, prompt: Sequence[int]) -> None:
    """Check that copied, rolled-back and joined rows score a prompt like one uninterrupted reading.

    Args:
        model: The model, without rows.
        prompt: At least two token ids.

    Raises:
        ModelError: If they do not.
    """
    whole = model.prefill([()])
    expected = whole.advance(torch.tensor([list(prompt)]))[0, -1].log_softmax(dim=-1)
    batch = model.prefill([prompt[:1]])
    batch.select([0, 0])
    batch.advance(torch.tensor([[prompt[0]] * 3, [prompt[-1]] * 3]))
    batch.rollback([3, 3])
    batch.join([model.prefill([prompt[:1]])])
    found = batch.advance(torch.tensor([list(prompt[1:])] * 3))[:, -1].log_softmax(dim=-1)
    likely = expected.topk(min(20, expected.shape[0])).indices
    worst = float((found - expected)[:, likely].abs().max())
    if not worst < _TOLERANCE:
        raise ModelError(
            f"llama.cpp scores a row that was copied and rolled back differently from a new one (by {worst:.2f}): "
            "install the release of llama-cpp-python that cosec's constraints.txt pins, or choose --runtime torch."
        )
