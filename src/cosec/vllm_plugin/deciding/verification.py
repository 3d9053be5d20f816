"""Verifies the drafts of one step, in place of vLLM's rejection sampling and of its bonus token.

Both of vLLM's model runners lay out the target's scores alike: for each request, one row for every drafted token and
one more, from which vLLM would draw the bonus token.

Axes: batch = requests of a step, rows = those with a draft, k = longest draft, vocab = entries both models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.vllm_plugin.deciding.decision import NO_TOKEN, DraftedRows, decide
from cosec.vllm_plugin.deciding.drafting import Drafting
from cosec.vllm_plugin.deciding.drafts import UnscreenedTokenError


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a model runner verifies in one step."""

    request_ids: Sequence[str]
    """The requests of the batch."""

    first: Sequence[int]
    """For each request, the number of output tokens it has."""

    drafted: Sequence[Sequence[int]]
    """For each request, the drafted tokens that were scheduled; empty in the middle of a prompt."""

    due: Sequence[bool]
    """For each request, whether a token that is sampled now would be emitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The tokens of one step."""

    token_ids: Int[Tensor, "batch places"]
    """The tokens of each request, one place more than the longest draft; ``NO_TOKEN`` where there is none."""

    target_log_probs: Float[Tensor, "batch places vocab"] | None
    """The target's raw log-probabilities at these places, 0 where there is no token; only if they were asked for."""


def verify(step: Step, drafting: Drafting, logits: Float[Tensor, "scored logits"], *, with_scores: bool) -> Verified:
    """The tokens of a step: what the rules make of each request's draft, and nothing else.

    Args:
        step: The requests and their drafts.
        drafting: What is known of the requests, and their kept drafts.
        logits: The target's scores; for each request in order, a row for each drafted token and one more.
        with_scores: Whether the target's log-probabilities are wanted.

    Raises:
        UnscreenedTokenError: If a request would emit a token without a draft of the security model, or if the scheduled
            tokens are not those that it drafted.
    """
    for request_id, draft, due in zip(step.request_ids, step.drafted, step.due, strict=True):
        if due and not draft:
            raise UnscreenedTokenError(
                f"Request {request_id} was scheduled to emit a token without a draft of the security model. The plugin "
                "and this vLLM do not fit; please report it."
            )
    k = max(map(len, step.drafted))
    tokens = torch.full((len(step.drafted), k + 1), NO_TOKEN, dtype=torch.long, device=logits.device)
    rows = [row for row, draft in enumerate(step.drafted) if draft]
    if not rows:
        return Verified(token_ids=tokens, target_log_probs=None)
    target = drafting.log_probs(logits[_scored(step.drafted, rows, k, logits.device)].flatten(0, 1))
    target = target.reshape(len(rows), k, -1)
    drafted = _drafted(step, drafting, rows, target)
    decided = decide(drafted, target)
    if drafting.watch is not None:
        drafting.watch.note(drafted, target, decided.token_ids)
    elif drafting.counters is not None:
        drafting.counters.note(target, decided)
    tokens[rows, :k] = decided.token_ids
    scores = None
    if with_scores:
        scores = target.new_zeros(*tokens.shape, target.shape[-1])
        scores[rows, :k] = target
    return Verified(token_ids=tokens, target_log_probs=scores)


def _scored(
    drafted: Sequence[Sequence[int]], rows: Sequence[int], k: int, device: torch.device
) -> Int[Tensor, "rows k"]:
    """Where the target's scores of each drafted token are; padding repeats the row after a request's draft."""
    starts = [0]
    for draft in drafted:
        starts.append(starts[-1] + len(draft) + 1)
    places = [[starts[row] + min(place, len(drafted[row])) for place in range(k)] for row in rows]
    return torch.tensor(places, device=device)


def _drafted(
    step: Step, drafting: Drafting, rows: Sequence[int], target_log_probs: Float[Tensor, "rows k vocab"]
) -> DraftedRows:
    """The kept drafts of these rows, checked against the tokens that were scheduled."""
    ids, first = [step.request_ids[row] for row in rows], [step.first[row] for row in rows]
    drafted = [step.drafted[row] for row in rows]
    states = [drafting.state(one) for one in ids]
    kept = drafting.drafts.take(ids, first, drafted)
    return DraftedRows(
        rules=[state.rule for state in states],
        keys=[state.key for state in states],
        first=first,
        lengths=[len(draft) for draft in drafted],
        token_ids=kept.token_ids,
        proposal_probs=kept.proposal_probs,
        security_log_probs=kept.security_log_probs,
        base_log_probs=target_log_probs if drafting.settings.base == "target" else kept.base_log_probs,
    )
