"""CoSec: make any served code LLM write safer code by co-decoding it with a small security model.

The names in ``__all__`` are the public Python API, documented in docs/api.md. They are loaded on first use, so that
``import cosec`` does not import torch. Everything else is internal and may change in any release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.errors import CosecError, CosecWarning
from cosec.lazy_names import lazy_names
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

__getattr__ = lazy_names(
    __name__,
    {
        "decoding.completer": ("Completer", "Completion"),
        "decoding.custom_generate": ("CoDecoding",),
        "decoding.hardening": ("harden", "load_pair"),
        "decoding.pairing": ("PreparedPair",),
        "decoding.rules.schema": ("GateSettings", "SpeculativeSettings", "SteerSettings", "ThresholdSettings"),
        "decoding.settings": ("DecodingSettings", "SamplingSettings"),
    },
)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
