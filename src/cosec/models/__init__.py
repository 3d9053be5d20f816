"""Models: find, check and load weights, adapters, tokenizers and configurations. Knows nothing about decoding.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "adapters": ("Adapter", "check_fits", "is_adapter", "merge_adapter", "read_adapter"),
        "attention_window": ("require_full_attention",),
        "description": ("ModelDescription", "cache_values_per_token", "describe_model"),
        "families": ("FAMILIES", "Family", "FimTokens", "family_of", "lora_targets"),
        "identity": ("file_sha256", "hash_file", "model_fingerprint"),
        "pruning": ("keep_layers", "prune_model"),
        "vocabulary": ("SharedVocabulary", "Vocabulary", "compare", "shared_vocabulary"),
    },
)
