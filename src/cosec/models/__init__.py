"""Models: find, check and load weights, adapters, tokenizers and configurations. Knows nothing about decoding.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosec.models.adapters import Adapter, check_fits, is_adapter, merge_adapter, read_adapter
    from cosec.models.attention_window import require_full_attention
    from cosec.models.description import ModelDescription, cache_values_per_token, describe_model
    from cosec.models.families import FAMILIES, Family, FimTokens, family_of, lora_targets
    from cosec.models.identity import file_sha256, hash_file, model_fingerprint
    from cosec.models.pruning import keep_layers, prune_model
    from cosec.models.vocabulary import SharedVocabulary, Vocabulary, compare, shared_vocabulary

__all__ = [
    "FAMILIES",
    "Adapter",
    "Family",
    "FimTokens",
    "ModelDescription",
    "SharedVocabulary",
    "Vocabulary",
    "cache_values_per_token",
    "check_fits",
    "compare",
    "describe_model",
    "family_of",
    "file_sha256",
    "hash_file",
    "is_adapter",
    "keep_layers",
    "lora_targets",
    "merge_adapter",
    "model_fingerprint",
    "prune_model",
    "read_adapter",
    "require_full_attention",
    "shared_vocabulary",
]

_MODULES = {
    "Adapter": "adapters",
    "FAMILIES": "families",
    "Family": "families",
    "FimTokens": "families",
    "ModelDescription": "description",
    "SharedVocabulary": "vocabulary",
    "Vocabulary": "vocabulary",
    "cache_values_per_token": "description",
    "check_fits": "adapters",
    "compare": "vocabulary",
    "describe_model": "description",
    "family_of": "families",
    "file_sha256": "identity",
    "hash_file": "identity",
    "is_adapter": "adapters",
    "keep_layers": "pruning",
    "lora_targets": "families",
    "merge_adapter": "adapters",
    "model_fingerprint": "identity",
    "prune_model": "pruning",
    "read_adapter": "adapters",
    "require_full_attention": "attention_window",
    "shared_vocabulary": "vocabulary",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
