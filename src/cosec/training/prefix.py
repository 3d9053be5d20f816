"""Prefix tuning of the base model: keys and values of a few virtual tokens are trained in place of an adapter.

The prefix starts as what the model computes for a real text, which Li and Liang (ACL 2021, section 7.4) found far
better than random numbers. All losses then compare it with the model without any prefix.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PrefixTuningConfig, get_peft_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from cosec.errors import ModelError
from cosec.models.cache_shape import cache_shape

START_TEXT = "The following code is secure. It has no vulnerability."
"""Text whose keys and values a prefix starts with; it is repeated for a longer prefix."""


def attach_prefix(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: int) -> Any:
    """Put a fresh prefix before the model's sequences.

    Args:
        model: The frozen base model, in evaluation mode.
        tokenizer: Its tokenizer.
        tokens: Number of virtual tokens.

    Returns:
        The ``peft.PeftModel``; only the prefix is trainable.

    Raises:
        ModelError: If the model's configuration does not tell the shape of its keys and values.
    """
    shape = cache_shape(model.config.to_dict())
    if shape is None:
        raise ModelError(
            f"The configuration of {type(model).__name__} does not tell the shape of its keys and values, "
            "which prefix tuning needs; train an adapter instead."
        )
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=tokens,
        num_layers=shape.layers,
        num_attention_heads=shape.heads,
        token_dim=shape.heads * shape.width,
    )
    start = _keys_and_values(model, tokenizer, tokens)
    peft_model = get_peft_model(model, config)
    with torch.no_grad():
        peft_model.prompt_encoder["default"].embedding.weight.copy_(start)
    return peft_model


@torch.no_grad()
def _keys_and_values(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tokens: int) -> torch.Tensor:
    """Keys and values of the start text, shape (tokens, 2 x layers x heads x width), in the order that peft keeps."""
    ids: list[int] = tokenizer(START_TEXT, add_special_tokens=False)["input_ids"]
    repeated = torch.tensor((ids * -(-tokens // len(ids)))[:tokens], device=model.device)
    layers = model(input_ids=repeated[None], use_cache=True).past_key_values.layers
    both = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in layers])
    return both.permute(3, 0, 1, 2, 4).reshape(tokens, -1).float()
