"""Loading: from a name to checked weights, tokenizer and configuration in memory.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

if TYPE_CHECKING:
    from cosec.models.loading.bundled import pull, remove, shipped_adapter
    from cosec.models.loading.embedded import BUNDLED_MODELS, BundledModel
    from cosec.models.loading.load import (
        DEFAULT_SECURITY,
        NO_SECURITY,
        LoadedModel,
        ModelPair,
        load_model,
        load_pair,
        resolve_base,
        resolve_model,
        resolve_security,
    )
    from cosec.models.loading.reading import DTYPES, read_outline, read_tokenizer, read_weights
    from cosec.models.loading.store import cache_root

__all__ = [
    "BUNDLED_MODELS",
    "DEFAULT_SECURITY",
    "DTYPES",
    "NO_SECURITY",
    "BundledModel",
    "LoadedModel",
    "ModelPair",
    "cache_root",
    "load_model",
    "load_pair",
    "pull",
    "read_outline",
    "read_tokenizer",
    "read_weights",
    "remove",
    "resolve_base",
    "resolve_model",
    "resolve_security",
    "shipped_adapter",
]

__getattr__ = lazy_names(
    __name__,
    {
        "bundled": ("pull", "remove", "shipped_adapter"),
        "embedded": ("BUNDLED_MODELS", "BundledModel"),
        "load": (
            "DEFAULT_SECURITY",
            "NO_SECURITY",
            "LoadedModel",
            "ModelPair",
            "load_model",
            "load_pair",
            "resolve_base",
            "resolve_model",
            "resolve_security",
        ),
        "reading": ("DTYPES", "read_outline", "read_tokenizer", "read_weights"),
        "store": ("cache_root",),
    },
)
