"""Completions: the text and the token records of one sequence as they grow, and when it ends.

The names in ``__all__`` are public; their modules are imported when a name is first used, so that judging, which needs
only the end of code, does not import transformers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

if TYPE_CHECKING:
    from cosec.decoding.completion.answer import AnswerWatcher, CodeBlock, code_block
    from cosec.decoding.completion.code_end import CodeEnd, CodeWatcher, code_of, code_watcher, language_of
    from cosec.decoding.completion.growing import EndConditions, FinishReason, GrowingCompletion, Growth
    from cosec.decoding.completion.text import TextStream
    from cosec.decoding.completion.watching import MakeWatcher, Watcher

__all__ = [
    "AnswerWatcher",
    "CodeBlock",
    "CodeEnd",
    "CodeWatcher",
    "EndConditions",
    "FinishReason",
    "GrowingCompletion",
    "Growth",
    "MakeWatcher",
    "TextStream",
    "Watcher",
    "code_block",
    "code_of",
    "code_watcher",
    "language_of",
]

__getattr__ = lazy_names(
    __name__,
    {
        "answer": ("AnswerWatcher", "CodeBlock", "code_block"),
        "code_end": ("CodeEnd", "CodeWatcher", "code_of", "code_watcher", "language_of"),
        "growing": ("EndConditions", "FinishReason", "GrowingCompletion", "Growth"),
        "text": ("TextStream",),
        "watching": ("MakeWatcher", "Watcher"),
    },
)
