"""Rotary embeddings that a GGUF file stretches over longer texts, which transformers' reader of GGUF leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cosec.errors import ModelError

if TYPE_CHECKING:
    from gguf import GGUFReader

LONG_FACTORS = "rope_factors_long.weight"
"""Tensor of a model whose embeddings depend on the length of the text."""

_FACTORS = ("rope_freqs.weight", "rope_factors_short.weight", LONG_FACTORS)
_YARN = {"yarn_beta_fast": "beta_fast", "yarn_beta_slow": "beta_slow", "yarn_attn_factor": "attention_factor"}
"""GGUF's names of YaRN's further settings, with those of transformers."""


def rope_parameters(reader: GGUFReader, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The ``rope_parameters`` of a configuration, with the scaling that the file asks for.

    Args:
        reader: The file.
        parameters: What transformers read, without scaling.
    """
    kind = _entry(reader, "rope.scaling.type") or "linear"
    factor = _entry(reader, "rope.scaling.factor") or _entry(reader, "rope.scale_linear")
    if kind not in ("linear", "yarn") or factor in (None, 1):
        return dict(parameters)
    scaling: dict[str, Any] = {"rope_type": kind, "factor": float(factor)}
    if kind == "yarn":
        original = _entry(reader, "rope.scaling.original_context_length") or _entry(reader, "context_length")
        scaling["original_max_position_embeddings"] = original
        further = {name: _entry(reader, f"rope.scaling.{key}") for key, name in _YARN.items()}
        scaling |= {name: value for name, value in further.items() if value is not None}
    return {**parameters, **scaling}


def require_known_positions(reader: GGUFReader, name: str) -> None:
    """Check that a conversion embeds positions as the file asks.

    Args:
        reader: The file.
        name: What messages call it.

    Raises:
        ModelError: If the file holds factors for single frequencies, which configurations cannot express.
    """
    from gguf import dequantize

    kind = _entry(reader, "rope.scaling.type") or "none"
    tensors = [one for one in reader.tensors if one.name in _FACTORS]
    stretched = [one.name for one in tensors if (dequantize(one.data, one.tensor_type) != 1).any()]
    if stretched or kind not in ("none", "linear", "yarn"):
        raise ModelError(
            f"{name} stretches its rotary embeddings in a way that cannot be converted "
            f"({', '.join(stretched) or kind}): run it with --runtime llama.cpp, or name the folder or hub id of the "
            "original model."
        )


def _entry(reader: GGUFReader, key: str) -> Any:
    """A setting of the file's architecture; None if it is not there."""
    field = reader.fields.get(f"{reader.fields['general.architecture'].contents()}.{key}")
    return None if field is None else field.contents()
