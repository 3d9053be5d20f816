"""Loading: from a name to checked weights, tokenizer and configuration in memory.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

_MODULES = {
    "BUNDLED_MODELS": "embedded",
    "BundledModel": "embedded",
    "DEFAULT_SECURITY": "load",
    "DTYPES": "reading",
    "LoadedModel": "load",
    "ModelPair": "load",
    "NO_SECURITY": "load",
    "cache_root": "store",
    "load_model": "load",
    "load_pair": "load",
    "pull": "bundled",
    "read_outline": "reading",
    "read_tokenizer": "reading",
    "read_weights": "reading",
    "remove": "bundled",
    "resolve_base": "load",
    "resolve_model": "load",
    "resolve_security": "load",
    "shipped_adapter": "bundled",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
