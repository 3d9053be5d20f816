"""Security pairs as tokens: which tokens of the fix are the change, and which window of a long function is kept.

A fast tokenizer is required, because only those tell which characters a token covers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cosec.training.data.changed_spans import ChangedSpan
from cosec.training.data.offsets import beginning, require_offsets, without_beginning
from cosec.training.data.security_pairs import SecurityPair

CONTEXT_BEFORE = 0.75
"""Share of a window's free space that lies before the change. A causal model reads only what comes before."""

FENCE_NAMES = {"c/c++": "c"}
"""Names of languages in a Markdown code block, where they differ from those of `LANGUAGES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFunction:
    """The vulnerable function of a pair, as tokens."""

    token_ids: Tensor
    """int64[tokens]."""

    removed: Tensor
    """bool[tokens]: the token overlaps a span that the fix took away."""

    compared: Tensor
    """bool[tokens]: the tokens that a preference for the fix is measured against. They are the removed ones or, where
    the fix only adds, the first token that differs from the fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingExample:
    """The fixed function of one pair, as tokens."""

    pair: SecurityPair
    token_ids: Tensor
    """int64[tokens]."""

    changed: Tensor
    """bool[tokens]: the token overlaps a changed span (m = 1 in the paper)."""

    function_tokens: int
    """Length of the whole function in tokens, before a window was cut."""

    key: int
    """Index among the distinct examples of its split; repeats made by balancing keep it."""

    rejected: "RejectedFunction | None" = None
    """The vulnerable side; None where it is not asked for, or has no token to mark."""

    @property
    def origin(self) -> str:
        """The place its pair was read from; names the example in messages."""
        return self.pair.origin


def tokenize_pairs(
    pairs: Sequence[SecurityPair],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
    with_rejected: bool = False,
    with_compared: bool = False,
) -> list[TrainingExample]:
    """Tokenize the fixed side of every pair, mark the changed tokens, and cut a window around them if it is too long.

    Args:
        pairs: The pairs of one split.
        tokenizer: A fast tokenizer. A beginning-of-text token that it adds by itself is kept before the window.
        max_tokens: The longest window, the beginning-of-text token included.
        with_rejected: Whether the vulnerable side is tokenized too, where the fix took something away.
        with_compared: Whether it is tokenized also where the fix only adds.

    Raises:
        ModelError: If the tokenizer cannot tell which characters a token covers.
    """
    require_offsets(tokenizer)
    prefix = beginning(tokenizer)
    examples = []
    for key, pair in enumerate(pairs):
        text, spans = _as_answer(pair, pair.after, pair.spans, tokenizer, prefix)
        token_ids, changed, total = _windowed(text, spans, tokenizer, prefix, max_tokens)
        rejected = None
        removed_spans = pair.removed_spans if with_rejected or with_compared else ()
        if spans_before := removed_spans or (pair.parting_spans if with_compared else ()):
            text, spans = _as_answer(pair, pair.before, spans_before, tokenizer, prefix)
            rejected_ids, compared, _ = _windowed(text, spans, tokenizer, prefix, max_tokens)
            removed = compared if removed_spans else torch.zeros_like(compared)
            rejected = RejectedFunction(token_ids=rejected_ids, removed=removed, compared=compared)
        examples.append(
            TrainingExample(
                pair=pair, token_ids=token_ids, changed=changed, function_tokens=total, key=key, rejected=rejected
            )
        )
    return examples


def _as_answer(
    pair: SecurityPair,
    function: str,
    spans: Sequence[ChangedSpan],
    tokenizer: PreTrainedTokenizerBase,
    prefix: list[int],
) -> tuple[str, Sequence[ChangedSpan]]:
    """One side of a pair as the text to train on, and its spans in that text.

    A side without an instruction is the function alone. With one it is a fenced code block that answers the
    instruction, in the model's chat format; a tokenizer without a chat template gets the instruction as plain text.
    If ``prefix``, a beginning-of-text token, is put before every window, the template's is dropped.
    """
    if not pair.instruction:
        return function, spans
    if tokenizer.chat_template:
        messages = [{"role": "user", "content": pair.instruction}]
        prompt = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        prompt = without_beginning(prompt, tokenizer, prefix)
    else:
        prompt = f"{pair.instruction}\n\n"
    prompt += f"```{FENCE_NAMES.get(pair.language, pair.language)}\n"
    text = f"{prompt}{function.rstrip()}\n```"
    shift = len(prompt)
    return text, [(start + shift, end + shift) for start, end in spans]


def _windowed(
    function: str,
    spans: Sequence[ChangedSpan],
    tokenizer: PreTrainedTokenizerBase,
    prefix: list[int],
    max_tokens: int,
) -> tuple[Tensor, Tensor, int]:
    """A function's tokens, which of them overlap the spans, and how many there were before a window was cut."""
    encoding = tokenizer(function, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    token_ids: list[int] = encoding["input_ids"]
    marked = mark_changed_tokens(encoding["offset_mapping"], spans)
    start, end = window_around(marked, max_tokens=max_tokens - len(prefix))
    return (
        torch.tensor(prefix + token_ids[start:end], dtype=torch.int64),
        torch.tensor([False] * len(prefix) + marked[start:end], dtype=torch.bool),
        len(token_ids) + len(prefix),
    )


def mark_changed_tokens(offsets: Sequence[tuple[int, int]], spans: Sequence[ChangedSpan]) -> list[bool]:
    """Tell for each token whether it overlaps a changed span; a cut (empty span) marks the tokens on both of its sides.

    Args:
        offsets: First and last-plus-one character of each token.
        spans: Half-open character spans of the same text.
    """
    # A cut at c touches the characters c-1 and c.
    touched = [(start, end) if start < end else (start - 1, end + 1) for start, end in spans]
    return [any(first < end and start < last for start, end in touched) for first, last in offsets]


def window_around(changed: Sequence[bool], *, max_tokens: int) -> tuple[int, int]:
    """Choose the window that holds the most changed tokens, with more of its free room before them than after.

    Args:
        changed: For each token of the function, whether it belongs to the change.
        max_tokens: The longest window.

    Returns:
        First and last-plus-one token of the window.
    """
    total = len(changed)
    if total <= max_tokens:
        return 0, total
    running = np.concatenate([[0], np.cumsum(changed)])
    fullest = int(np.argmax(running[max_tokens:] - running[:-max_tokens]))
    inside = [index for index in range(fullest, fullest + max_tokens) if changed[index]]
    first, last = (inside[0], inside[-1]) if inside else (0, 0)
    free = max_tokens - (last - first + 1)
    start = min(max(first - int(free * CONTEXT_BEFORE), 0), total - max_tokens)
    return start, start + max_tokens
