"""Several decoding rules in one batch: each rule decides its own rows.

Rows that share a rule are decided together. A batch with a single rule has no extra cost.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.verification import Rule, Verification
from cosec.decoding.sampling import TokenDistribution


class RowRules:
    """The decoding rule of each row of a batch.

    Args:
        rules: The rule of every row, in the batch's order. Rows share a rule if they name the same object.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = list(rules)
        self.draws_acceptance = any(rule.draws_acceptance for rule in rules)
        """Whether any row's rule needs a random number for each proposal."""

    def propose(
        self, log_probs: Float[Tensor, "rows vocab"], uniforms: Float[Tensor, "rows"]
    ) -> tuple[Int[Tensor, "rows"], Float[Tensor, "rows"], TokenDistribution | None]:
        """Draw a proposal for each row.

        Args:
            log_probs: The security model's raw log-probabilities.
            uniforms: A random number in [0, 1) for each row.

        Returns:
            The proposals; the probability each was drawn with; and the distributions they were drawn from, or None
            if the rows have different rules.
        """
        groups = _groups(self._rules)
        if len(groups) == 1:
            distribution = self._rules[0].proposal(log_probs)
            tokens = distribution.sample(uniforms)
            return tokens, distribution.prob_of(tokens), distribution
        tokens = torch.empty(log_probs.shape[0], dtype=torch.long, device=log_probs.device)
        probs = torch.empty(log_probs.shape[0], dtype=log_probs.dtype, device=log_probs.device)
        for rule, rows in groups:
            distribution = rule.proposal(log_probs[rows])
            tokens[rows] = distribution.sample(uniforms[rows])
            probs[rows] = distribution.prob_of(tokens[rows])
        return tokens, probs, None

    def verify(self, draft: Draft, target_log_probs: Float[Tensor, "rows k vocab"]) -> Verification:
        """The verdict on every row's draft; divergences are NaN in rows whose rule has none."""
        groups = _groups(self._rules)
        if len(groups) == 1:
            return self._rules[0].verify(draft, target_log_probs)
        ratios = torch.empty_like(draft.proposal_probs)
        counts = torch.empty(ratios.shape[0], dtype=torch.long, device=ratios.device)
        divergences = torch.full_like(ratios, math.nan)
        gated = torch.zeros_like(ratios, dtype=torch.bool)
        for rule, rows in groups:
            verdict = rule.verify(_rows_of(draft, rows), target_log_probs[rows])
            counts[rows], ratios[rows] = verdict.accepted_count, verdict.acceptance_ratios
            if verdict.divergences is not None and verdict.gated is not None:
                divergences[rows], gated[rows] = verdict.divergences, verdict.gated
        return Verification(accepted_count=counts, acceptance_ratios=ratios, divergences=divergences, gated=gated)

    def fallback(self, rows: Sequence[int], at: Position, uniforms: Float[Tensor, "rows"]) -> Int[Tensor, "rows"]:
        """Draw the tokens that replace rejected ones.

        Args:
            rows: Rows of the batch that had a proposal rejected.
            at: The models' scores at the rejected position of each of these rows.
            uniforms: A random number in [0, 1) for each of these rows.
        """
        groups = _groups([self._rules[row] for row in rows])
        if len(groups) == 1:
            return groups[0][0].fallback(at).sample(uniforms)
        tokens = torch.empty(len(rows), dtype=torch.long, device=at.target_log_probs.device)
        for rule, places in groups:
            tokens[places] = rule.fallback(at.of_rows(places)).sample(uniforms[places])
        return tokens


def _groups(rules: Sequence[Rule]) -> list[tuple[Rule, list[int]]]:
    """Each distinct rule with its rows."""
    groups: dict[int, tuple[Rule, list[int]]] = {}
    for row, rule in enumerate(rules):
        groups.setdefault(id(rule), (rule, []))[1].append(row)
    return list(groups.values())


def _rows_of(draft: Draft, rows: list[int]) -> Draft:
    return Draft(
        token_ids=draft.token_ids[rows],
        security_log_probs=draft.security_log_probs[rows],
        proposal_probs=draft.proposal_probs[rows],
        base_log_probs=None if draft.base_log_probs is None else draft.base_log_probs[rows],
        chances=None if draft.chances is None else draft.chances[rows],
    )
