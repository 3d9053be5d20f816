"""Decides a batch of drafts: which proposals stand, and what replaces the first rejected one of each row.

It calls the rules of :mod:`cosec.decoding.rules`, as CoSec's own engine does, and knows nothing of vLLM.

Axes: rows = requests with a draft, k = length of the longest draft, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cosec.decoding.engine.row_rules import RowRules
from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.verification import Rule
from cosec.decoding.sampling.randomness import Role, uniforms
from cosec.errors import ModelError

NO_TOKEN = -1
"""Marks places without a token, as vLLM does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedRows:
    """The drafts of a batch, with what the rules need to judge them."""

    rules: Sequence[Rule]
    """The rule of each row."""

    keys: Sequence[bytes]
    """The random identity of each row."""

    first: Sequence[int]
    """For each row, the number of tokens it had been given before this draft."""

    lengths: Sequence[int]
    """Number of drafted tokens of each row, at least 1; the places beyond are padding."""

    token_ids: Int[Tensor, "rows k"]
    """The drafted tokens."""

    proposal_probs: Float[Tensor, "rows k"]
    """The probability with which each token was drawn."""

    security_log_probs: Float[Tensor, "rows k vocab"]
    """The security model's raw log-probabilities."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None
    """Raw log-probabilities of the security model's base; None if no rule needs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What the rules made of a batch of drafts."""

    token_ids: Int[Tensor, "rows k"]
    """The tokens of each row: its accepted proposals, then what replaces the first rejected one; else ``NO_TOKEN``."""

    accepted: Sequence[int]
    """Number of accepted proposals of each row."""

    gated: Bool[Tensor, "rows k"] | None
    """Whether the rule treats each position as a security decision; None if no rule has decisions."""


def propose(
    rules: Sequence[Rule], keys: Sequence[bytes], positions: Sequence[int], log_probs: Float[Tensor, "rows vocab"]
) -> tuple[Int[Tensor, "rows"], Float[Tensor, "rows"]]:
    """Draw one proposal for each row from the security model, and the probability it was drawn with.

    Raises:
        ModelError: If the scores are not finite.
    """
    refuse_nan("security", log_probs)
    tokens, probs, _ = RowRules(rules).propose(log_probs, uniforms(keys, positions, Role.PROPOSAL))
    return tokens, probs


def decide(rows: DraftedRows, target_log_probs: Float[Tensor, "rows k vocab"]) -> Decided:
    """Decide the tokens of each row. There is no token beyond the draft.

    Raises:
        ModelError: If the target's scores are not finite.
    """
    refuse_nan("target", target_log_probs)
    rules = RowRules(rows.rules)
    k = rows.token_ids.shape[1]
    draft = Draft(
        token_ids=rows.token_ids,
        security_log_probs=rows.security_log_probs,
        proposal_probs=rows.proposal_probs,
        base_log_probs=rows.base_log_probs,
        chances=_chances(rows, k) if rules.draws_acceptance else None,
    )
    verdict = rules.verify(draft, target_log_probs)
    counts = zip(verdict.accepted_count.tolist(), rows.lengths, strict=True)
    accepted = [min(count, length) for count, length in counts]
    places = torch.arange(k, device=rows.token_ids.device)
    kept = places < torch.tensor(accepted, device=places.device).unsqueeze(1)
    decided = torch.where(kept, rows.token_ids, NO_TOKEN)
    rejected = [row for row, count in enumerate(accepted) if count < rows.lengths[row]]
    if rejected:
        at = [accepted[row] for row in rejected]
        decided[rejected, at] = _replacements(rules, rows, target_log_probs, rejected, at)
    return Decided(token_ids=decided, accepted=accepted, gated=verdict.gated)


def _replacements(
    rules: RowRules, rows: DraftedRows, target_log_probs: Tensor, rejected: list[int], places: list[int]
) -> Int[Tensor, "rejected"]:
    """The tokens that replace the first rejected proposal of these rows."""
    numbers = uniforms(
        [rows.keys[row] for row in rejected],
        [rows.first[row] + place for row, place in zip(rejected, places, strict=True)],
        Role.FALLBACK,
    )
    position = Position.picked(
        lambda each: each[rejected, places], target_log_probs, rows.security_log_probs, rows.base_log_probs
    )
    return rules.fallback(rejected, position, numbers)


def _chances(rows: DraftedRows, k: int) -> Float[Tensor, "rows k"]:
    """One random number for each row and drafted position; the same for every draft length."""
    columns = [uniforms(rows.keys, [start + place for start in rows.first], Role.ACCEPTANCE) for place in range(k)]
    return torch.stack(columns, dim=1)


def accepted_count(token_ids: Sequence[int], drafted: Sequence[int]) -> int:
    """How many of a request's proposals stand, by the tokens that it was given.

    Every draft ends with a token that replaces a rejected proposal, unless all proposals stand. Where the last proposal
    was rejected and drawn again as its own replacement, it counts as standing.

    Args:
        token_ids: The tokens given: accepted proposals, then what replaces the first rejected one.
        drafted: The proposals. In the scheduler of vLLM's V2 runner they are all ``NO_TOKEN``, so that the last one
            never counts.
    """
    replaced = len(token_ids) < len(drafted) or token_ids[-1:] != drafted[-1:]
    return max(0, len(token_ids) - replaced)


def refuse_nan(which: str, log_probs: Float[Tensor, "... vocab"]) -> None:
    """Check the first entry of each distribution, which log-softmax makes NaN for one logit that is not finite.

    Raises:
        ModelError: If an entry is NaN.
    """
    if bool(log_probs[..., 0].isnan().any()):
        raise ModelError(f"The {which} model produced scores that are not finite: its weights are damaged.")
