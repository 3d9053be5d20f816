"""Whether a target gives what a rule needs: the probabilities of texts, and for the paper's rule common tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosec.decoding.blackbox.targets.text_target import TextTarget
from cosec.decoding.rules.schema import ThresholdSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.decoding.rules.schema import AnyRule

_PROGRAM = (
    "def total_size(paths, limit=1024):\n    if sum(sizes) > 2 * limit:\n\traise ValueError('too large: %s' % paths)\n"
)
"""A text that tokenizers of different families divide differently."""


def program_tokens(tokenizer: PreTrainedTokenizerFast) -> list[str]:
    """How a tokenizer divides a short program, by which tokenizers are compared."""
    ids = tokenizer(_PROGRAM, add_special_tokens=False).input_ids
    return [str(tokenizer.decode([token], clean_up_tokenization_spaces=False)) for token in ids]


async def why_no_threshold(target: TextTarget, ours: Sequence[str]) -> str | None:
    """Why the paper's rule does not apply to a target.

    It compares the two models' probabilities of one token, so that both must have it. Whether they do is seen by a
    program that both divide.

    Args:
        target: The target.
        ours: How the security model divides the program, from ``program_tokens``.

    Returns:
        The reason; None if the rule applies.

    Raises:
        TargetFailure: If the target fails.
    """
    if not await target.scores_texts():
        return "the server gives no log-probabilities of a prompt (echo with logprobs), or wrong ones"
    theirs = await target.divided(_PROGRAM)
    if theirs[-len(ours) :] != list(ours):  # some begin with a token that has no text
        return "the server's tokens differ from those of the security model"
    return None


async def why_no_rule(target: TextTarget, rule: AnyRule, ours: Sequence[str]) -> str | None:
    """Why a rule does not apply to a target, with the remedy.

    Args:
        target: The target; it is asked once, and only if the rule needs more than its text.
        rule: The rule.
        ours: How the security model divides the program, from ``program_tokens``.

    Returns:
        A sentence; None if the rule applies.

    Raises:
        TargetFailure: If the target fails.
    """
    if isinstance(rule, ThresholdSettings):
        why_not = await why_no_threshold(target, ours)
        return None if why_not is None else f"The rule threshold cannot be used: {why_not}. Use gate."
    if getattr(rule, "plausibility_floor", 0.0) and not await target.scores_texts():
        return (
            "The target does not give the right log-probabilities of a prompt (echo with logprobs), which the "
            "plausibility floor needs: set it to 0."
        )
    return None
