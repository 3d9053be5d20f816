"""Decoding: the security model drafts, the target verifies, a rule decides. Knows nothing about training or HTTP.

- `batch`: the running batch of completions, which `completer`, `custom_generate`, studies and the server share.
- `engine`: the loop on token ids, and the lanes it runs the models through.
- `rules`: the decoding rules, one in each file.
- `sampling`: distributions over next tokens, and random numbers.
- `completion`: text and records of one completion, and when it ends.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosec.decoding.batch import Batch, BatchSetup, CompletionRequest, Progress, PromptReading, batch_setup
    from cosec.decoding.completer import DEFAULT_ROWS, Completer, Completion, Piece
    from cosec.decoding.custom_generate import CoDecoding
    from cosec.decoding.examination import examine
    from cosec.decoding.examined import Examined
    from cosec.decoding.hardening import harden, load_pair
    from cosec.decoding.pairing import PreparedPair, carried_rule
    from cosec.decoding.prompt_cache import LongestBeginning, PromptCache, ReusePolicy, WholePrompts
    from cosec.decoding.refill import Refill
    from cosec.decoding.selftest import SelfTest, law_selftest
    from cosec.decoding.settings import DecodingSettings, SamplingSettings
    from cosec.decoding.trace import TokenOrigin, TokenRecord, TraceSummary, summary

__all__ = [
    "DEFAULT_ROWS",
    "Batch",
    "BatchSetup",
    "CoDecoding",
    "Completer",
    "Completion",
    "CompletionRequest",
    "DecodingSettings",
    "Examined",
    "LongestBeginning",
    "Piece",
    "PreparedPair",
    "Progress",
    "PromptCache",
    "PromptReading",
    "Refill",
    "ReusePolicy",
    "SamplingSettings",
    "SelfTest",
    "TokenOrigin",
    "TokenRecord",
    "TraceSummary",
    "WholePrompts",
    "batch_setup",
    "carried_rule",
    "examine",
    "harden",
    "law_selftest",
    "load_pair",
    "summary",
]

_MODULES = {
    "Batch": "batch",
    "BatchSetup": "batch",
    "CoDecoding": "custom_generate",
    "Completer": "completer",
    "Completion": "completer",
    "CompletionRequest": "batch",
    "DEFAULT_ROWS": "completer",
    "DecodingSettings": "settings",
    "Examined": "examined",
    "LongestBeginning": "prompt_cache",
    "Piece": "completer",
    "PreparedPair": "pairing",
    "Progress": "batch",
    "PromptCache": "prompt_cache",
    "PromptReading": "batch",
    "Refill": "refill",
    "ReusePolicy": "prompt_cache",
    "SamplingSettings": "settings",
    "SelfTest": "selftest",
    "TokenOrigin": "trace",
    "TokenRecord": "trace",
    "TraceSummary": "trace",
    "WholePrompts": "prompt_cache",
    "batch_setup": "batch",
    "carried_rule": "pairing",
    "examine": "examination",
    "harden": "hardening",
    "law_selftest": "selftest",
    "load_pair": "hardening",
    "summary": "trace",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
