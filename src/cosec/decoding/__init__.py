"""Decoding: the security model drafts, the target verifies, a rule decides. Knows nothing about training or HTTP.

- `batch`: the running batch of completions, which `completer`, `custom_generate`, studies and the server share.
- `engine`: the loop on token ids, and the lanes it runs the models through.
- `rules`: the decoding rules, one in each file.
- `sampling`: distributions over next tokens, and random numbers.
- `completion`: text and records of one completion, and when it ends.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "batch": ("Batch", "BatchSetup", "CompletionRequest", "Progress", "PromptReading", "batch_setup"),
        "completer": ("DEFAULT_ROWS", "Completer", "Completion", "Piece"),
        "custom_generate": ("CoDecoding",),
        "examination": ("examine",),
        "examined": ("Examined",),
        "hardening": ("harden", "load_pair"),
        "pairing": ("PreparedPair", "carried_rule"),
        "prompt_cache": ("LongestBeginning", "PromptCache", "ReusePolicy", "WholePrompts"),
        "refill": ("Refill",),
        "selftest": ("SelfTest", "law_selftest"),
        "settings": ("DecodingSettings", "SamplingSettings"),
        "trace": ("TokenOrigin", "TokenRecord", "TraceSummary", "summary"),
    },
)
