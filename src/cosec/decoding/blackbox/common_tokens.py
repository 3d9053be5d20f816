"""Whether a target's tokens are those of the security model, which the paper's rule needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.decoding.blackbox.targets.text_target import TextTarget

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_PROGRAM = (
    "def total_size(paths, limit=1024):\n    if sum(sizes) > 2 * limit:\n\traise ValueError('too large: %s' % paths)\n"
)
"""A text that tokenizers of different families divide differently."""


async def why_no_threshold(target: TextTarget, tokenizer: PreTrainedTokenizerFast) -> str | None:
    """Why the paper's rule does not apply to a target.

    It compares the two models' probabilities of one token, so that both must have it. Whether they do is seen by a
    program that both divide.

    Args:
        target: The target.
        tokenizer: The security model's.

    Returns:
        The reason; None if the rule applies.

    Raises:
        TargetFailure: If the target fails.
    """
    if not await target.scores_texts():
        return "the server gives no log-probabilities of a prompt (echo with logprobs), or wrong ones"
    ours = [_text(tokenizer, token) for token in tokenizer(_PROGRAM, add_special_tokens=False).input_ids]
    theirs = await target.divided(_PROGRAM)
    if theirs[-len(ours) :] != ours:  # some begin with a token that has no text
        return "the server's tokens differ from those of the security model"
    return None


def _text(tokenizer: PreTrainedTokenizerFast, token: int) -> str:
    return str(tokenizer.decode([token], clean_up_tokenization_spaces=False))
