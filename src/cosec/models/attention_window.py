"""Models whose tokens depend on the length of a text: recognised by their configuration, and refused.

Their layers attend to a window of the latest tokens only, or their rotary embeddings change with the length.

Co-decoding rolls back key-value caches, whose rows have holes and may share their prompt. An architecture's own mask
counts slots of the cache, so beyond a window it would hide the wrong tokens. While a sequence is no longer than the
window, windowed and full attention are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cosec.errors import UnknownArchitecture
from cosec.models.loading.reading import CONTEXT_ENTRIES

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_FULL = {"full_attention"}

_BY_LENGTH = "longrope"
"""Kind of rotary embeddings that depends on the longest text of a batch, up to the model's context."""


def require_full_attention(config: PreTrainedConfig, name: str) -> None:
    """Check that every layer attends to all tokens, at any length up to the model's context.

    Args:
        config: The model's configuration.
        name: What messages call the model.

    Raises:
        UnknownArchitecture: If some layer attends to a window of tokens only or keeps no keys and values at all, if
            they are compressed, or if positions are embedded in another way in long texts.
    """
    kinds = set(getattr(config, "layer_types", None) or getattr(config, "attention_layers", None) or _FULL)
    if not kinds <= {*_FULL, "global"}:
        raise UnknownArchitecture(
            f"{name} has layers of the kinds {sorted(kinds)}; co-decoding rolls back key-value caches and supports "
            "full attention only. Choose a model of one of the families in `cosec models list`."
        )
    if getattr(config, "kv_lora_rank", None):
        raise UnknownArchitecture(
            f"{name} keeps compressed keys and values (latent attention), which co-decoding does not support. Choose a "
            "model of one of the families in `cosec models list`."
        )
    window, context = getattr(config, "sliding_window", None), _context_length(config)
    original = _unstretched(config)
    if original is not None and context is not None and context > original:
        raise UnknownArchitecture(
            f"{name} reads texts of more than {original} tokens with other rotary embeddings than shorter ones, so the "
            "length of one text would change the others beside it. To use the model for shorter texts, copy its "
            f'folder, and in config.json set "max_position_embeddings": {original} and, in "rope_scaling", "factor": '
            f"{context / original:g}."
        )
    if window is not None and not _never_takes_effect(window, context):
        raise UnknownArchitecture(
            f"{name} attends to its latest {window} tokens only (sliding_window in its config.json); co-decoding rolls "
            "back key-value caches and supports full attention only. To use the model for shorter texts, copy its "
            f'folder and set "sliding_window": null and "max_position_embeddings": {window} in config.json.'
        )


def _unstretched(config: PreTrainedConfig) -> int | None:
    """Length up to which all positions are embedded alike, if the embeddings depend on the length of a text."""
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    parts = [one for one in (found, *found.values()) if isinstance(one, Mapping)]
    part = next((one for one in parts if one.get("rope_type", one.get("type")) == _BY_LENGTH), None)
    if part is None:
        return None
    own = getattr(config, "original_max_position_embeddings", None)
    return part.get("original_max_position_embeddings") or own


def drop_idle_window(config: PreTrainedConfig) -> None:
    """Remove a sliding window that is at least as long as the context, so that holes in a cache cannot fill it.

    Args:
        config: Changed in place.
    """
    window = getattr(config, "sliding_window", None)
    if window is not None and _never_takes_effect(window, _context_length(config)):
        config.sliding_window = None


def _context_length(config: PreTrainedConfig) -> int | None:
    return next((getattr(config, entry) for entry in CONTEXT_ENTRIES if hasattr(config, entry)), None)


def _never_takes_effect(window: int, context: int | None) -> bool:
    return context is not None and window >= context
