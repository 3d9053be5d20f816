"""The verdict on a draft, and the one seam at which decoding rules differ.

A rule proposes with the security model, judges the proposals once the target has scored them, and names what takes
the place of the first one that falls. Nothing is ever drawn beyond the draft (no bonus token), so each emitted token
was either proposed or chosen in place of a proposal, and the draft length never changes the text.

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
    """How many leading drafted tokens stand; between 0 and k."""

    acceptance_ratios: Float[Tensor, "rows k"]
    """What each proposal was judged by, in [0, 1]; a rule's own docstring says how."""

    divergences: Float[Tensor, "rows k"] | None = None
    """How much the adapter changes the security model's prediction at each place, where the rule asks."""

    gated: Bool[Tensor, "rows k"] | None = None
    """Where the rule treats the place as a security decision; None for rules that know no such places."""

    law: TokenDistribution | None = None
    """What the places are drawn from, rows * k of them, each row's in order; None for rules that need not know it."""


@runtime_checkable
class Rule(Protocol):
    """What stands between a draft and the text."""

    needs_base: bool
    """Whether drafts and positions must carry the security model's own base."""

    draws_acceptance: bool
    """Whether drafts must carry a random number for each proposal."""

    def proposal(self, security_log_probs: Float[Tensor, "rows vocab"]) -> TokenDistribution:
        """What the security model draws its next proposal from."""
        ...

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """How far each draft stands."""
        ...

    def fallback(self, at: Position) -> TokenDistribution:
        """What the token in place of the first rejected one is drawn from."""
        ...


def check_widths(draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> None:
    """Check that both models speak about the same vocabulary.

    Raises:
        VocabularyMismatch: If they do not.
    """
    if target_log_probs.shape != draft.security_log_probs.shape:
        raise VocabularyMismatch(
            f"The target's scores have shape {tuple(target_log_probs.shape)}, the security model's "
            f"{tuple(draft.security_log_probs.shape)}: slice both to their shared vocabulary first."
        )
