"""CoSec: make any served code LLM write safer code by co-decoding it with a small security model.

The names in ``__all__`` are the public Python API, documented in docs/api.md. They are loaded on first use, so that
``import cosec`` does not import torch. Everything else is internal and may change in any release.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cosec.errors import CosecError, CosecWarning
from cosec.version import __version__

if TYPE_CHECKING:
    from cosec.decoding.completer import Completer, Completion
    from cosec.decoding.custom_generate import CoDecoding
    from cosec.decoding.hardening import harden, load_pair
    from cosec.decoding.pairing import PreparedPair
    from cosec.decoding.rules.schema import GateSettings, SpeculativeSettings, SteerSettings, ThresholdSettings
    from cosec.decoding.settings import DecodingSettings, SamplingSettings

__all__ = [
    "CoDecoding",
    "Completer",
    "Completion",
    "CosecError",
    "CosecWarning",
    "DecodingSettings",
    "GateSettings",
    "PreparedPair",
    "SamplingSettings",
    "SpeculativeSettings",
    "SteerSettings",
    "ThresholdSettings",
    "__version__",
    "harden",
    "load_pair",
]

_MODULES = {
    "CoDecoding": "custom_generate",
    "Completer": "completer",
    "Completion": "completer",
    "DecodingSettings": "settings",
    "GateSettings": "rules.schema",
    "PreparedPair": "pairing",
    "SamplingSettings": "settings",
    "SpeculativeSettings": "rules.schema",
    "SteerSettings": "rules.schema",
    "ThresholdSettings": "rules.schema",
    "harden": "hardening",
    "load_pair": "hardening",
}
"""Module of ``cosec.decoding`` that defines each name which is loaded on first use."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'cosec' has no attribute {name!r}")
    value: object = getattr(import_module(f"cosec.decoding.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
