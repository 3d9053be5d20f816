"""Compute once, on a tiny model, whether the installed torch and transformers work with this runtime.

The cache, its masks and the shared prompts depend on how transformers calls them, which its documentation does not
promise. A release that calls them differently would give wrong texts, not errors. So the same tokens are scored with
and without a cache, through all that the runtime does with rows, before the first model is used.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from cosec.errors import ModelError
from cosec.models.internals import incompatible
from cosec.runtime.torch.kv_cache import attend_to_prefixes
from cosec.runtime.torch.token_model import TorchTokenModel

_VOCABULARY = 16
_TOLERANCE = 1e-3


@cache
def check_runtime() -> None:
    """Check that a cached batch gives the logits of the model without a cache; computed once per process.

    torch's global random numbers are left alone.

    Raises:
        ModelError: If it does not; the message names the release of transformers.
    """
    try:
        difference = _largest_difference()
    except ModelError:
        raise
    except Exception as error:
        reason = f"a cached forward pass fails ({type(error).__name__}: {error})"
        raise incompatible("transformers", reason) from error
    if not difference < _TOLERANCE:
        raise incompatible("transformers", f"logits with a cache are off by {difference:.2g}")


def _largest_difference() -> float:
    """Largest difference of a logit with and without a cache, after sharing, rolling back, dropping and joining."""
    model = _tiny_model()
    plain = _tiny_model()
    attend_to_prefixes(model)
    rows = [[1, 2, 3], [1, 2, 3], [4, 5]]
    batch = TorchTokenModel(model, _VOCABULARY).prefill([[1, 2, 3], [4, 5]])
    batch.select([0, 0, 1])
    fed = [[6, 7, 8], [9, 10, 11], [12, 13, 14]]
    differences = [_difference(batch.advance(torch.tensor(fed)), plain, rows, fed)]
    batch.rollback([0, 2, 1])
    rows = [[*rows[0], 6, 7, 8], [*rows[1], 9], [*rows[2], 12, 13]]
    fed = [[3], [5], [7]]
    differences.append(_difference(batch.advance(torch.tensor(fed)), plain, rows, fed))
    batch.select([2, 1])
    batch.join([TorchTokenModel(model, _VOCABULARY).prefill([[15]])])
    rows = [[*rows[2], 7], [*rows[1], 5], [15]]
    fed = [[2], [4], [6]]
    differences.append(_difference(batch.advance(torch.tensor(fed)), plain, rows, fed))
    return max(differences)


def _difference(logits: Tensor, plain: LlamaForCausalLM, rows: list[list[int]], fed: list[list[int]]) -> float:
    with torch.inference_mode():
        expected = [
            plain(input_ids=torch.tensor([row + new]), use_cache=False).logits[0, -len(new) :]
            for row, new in zip(rows, fed, strict=True)
        ]
    return float((logits - torch.stack(expected)).abs().max())


def _tiny_model() -> LlamaForCausalLM:
    """Two layers with fixed weights; two query heads share each pair of keys and values."""
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng(devices=[]):
        model: LlamaForCausalLM = LlamaForCausalLM(config)
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=numbers)
    model.train(False)
    return model
