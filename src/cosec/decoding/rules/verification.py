"""The interface of a decoding rule, and its verdict on a draft.

A rule proposes tokens with the security model, judges them once the target has scored them, and chooses a replacement
for the first rejected one. No token is drawn beyond the draft (no bonus token). So each emitted token was either
proposed or replaces a proposal, and the draft length never changes the text.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.sampling import TokenDistribution
from cosec.errors import VocabularyMismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A rule's verdict on a batch of drafts."""

    accepted_count: Int[Tensor, "rows"]
    """Number of accepted tokens of each row, counted from the start of the draft; between 0 and k."""

    acceptance_ratios: Float[Tensor, "rows k"]
    """The ratio in [0, 1] that decided the acceptance of each proposal; each rule defines its own."""

    divergences: Float[Tensor, "rows k"] | None = None
    """How much the adapter changes its base's prediction at each position; None if the rule does not measure it."""

    gated: Bool[Tensor, "rows k"] | None = None
    """Whether the rule treats each position as a security decision; None for rules without decisions."""

    law: TokenDistribution | None = None
    """The law of each position, rows * k distributions, row by row; None for rules that do not compute it."""


@runtime_checkable
class Rule(Protocol):
    """A decoding rule: turns proposals of the security model and scores of the target into tokens."""

    needs_base: bool
    """Whether drafts and positions must include the scores of the security model's own base."""

    draws_acceptance: bool
    """Whether drafts must include a random number for each proposal."""

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """The distribution that the next proposal is drawn from."""
        ...

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """Judge the drafts of all rows."""
        ...

    def fallback(self, at: Position) -> TokenDistribution:
        """The distribution of the token that replaces the first rejected one."""
        ...


def check_widths(draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> None:
    """Check that both models' scores cover the same vocabulary.

    Raises:
        VocabularyMismatch: If they do not.
    """
    if target_log_probs.shape != draft.security_log_probs.shape:
        raise VocabularyMismatch(
            f"The target's scores have shape {tuple(target_log_probs.shape)}, the security model's "
            f"{tuple(draft.security_log_probs.shape)}: slice both to their shared vocabulary first."
        )
