"""Attention by plain matrix products, for training on short rows on a processor: less time, the same up to rounding."""

from typing import Any

import torch

from cosec.models.internals import attention_of

SHORT_ROWS = 512
"""Tokens of the longest row for which the products are kept for the backward pass: heads · tokens² numbers a layer."""


def plain_attention_pays(device: torch.device, *, tokens: int, bfloat16: bool) -> bool:
    """Whether plain products take less time than torch's fused attention, at a bearable memory.

    Args:
        device: Where the model computes; only on a processor they do.
        tokens: Length of the longest row.
        bfloat16: Whether the products are computed in bfloat16. In float32 both take the same time.
    """
    return device.type == "cpu" and bfloat16 and tokens <= SHORT_ROWS


def speed_up_attention(model: Any, device: torch.device, *, tokens: int, bfloat16: bool) -> None:
    """Replace torch's fused attention where plain products are faster; elsewhere nothing changes.

    Args:
        model: A transformers causal model, or a ``peft.PeftModel`` around one. Changed in place.
        device: Where it will compute; it may be elsewhere now.
        tokens: As for ``plain_attention_pays``.
        bfloat16: As for ``plain_attention_pays``.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    pays = plain_attention_pays(device, tokens=tokens, bfloat16=bfloat16)
    if pays and attention_of(causal.config) == "sdpa":
        causal.set_attn_implementation("eager")
