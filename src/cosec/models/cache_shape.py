"""The shape of a model's keys and values, from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheShape:
    """The keys, or the values, that a model keeps of one token."""

    layers: int
    heads: int
    """Key-value heads of a layer."""

    width: int
    """Values of a head."""

    @property
    def values_per_token(self) -> int:
        """Numbers that a model keeps of one token: keys and values of all layers."""
        return 2 * self.layers * self.heads * self.width


def cache_shape(config: Mapping[str, Any]) -> CacheShape | None:
    """Read the shape of a model's keys and values from its configuration.

    Args:
        config: Contents of ``config.json``.

    Returns:
        The shape, or None if the configuration does not tell.
    """
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    heads = config.get("num_attention_heads", config.get("n_head"))
    hidden = config.get("hidden_size", config.get("n_embd"))
    if not (isinstance(layers, int) and isinstance(heads, int) and isinstance(hidden, int)):
        return None
    key_value_heads = 1 if config.get("multi_query") else config.get("num_key_value_heads") or heads
    head_width = config.get("head_dim") or hidden // heads
    return CacheShape(layers=layers, heads=int(key_value_heads), width=int(head_width))
