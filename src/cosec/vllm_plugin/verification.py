"""Verifies drafts inside vLLM's model runner, in place of its rejection sampling and of its bonus token.

Axes: batch = requests of a step, rows = those with a draft, k = longest draft, vocab = entries both models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from vllm.v1.outputs import LogprobsTensors, SamplerOutput

from cosec.vllm_plugin.decision import NO_TOKEN, DraftedRows, decide
from cosec.vllm_plugin.drafter import SecurityDrafter
from cosec.vllm_plugin.drafts import UnscreenedTokenError


def verified(runner: Any, logits: Float[Tensor, "scored logits"], metadata: Any) -> SamplerOutput:
    """The tokens of a step: what the rules make of each request's draft, and nothing else.

    Args:
        runner: vLLM's model runner.
        logits: The target's scores of every drafted position, and of one more for each request.
        metadata: vLLM's ``SpecDecodeMetadata``, which says where each draft is.

    Raises:
        UnscreenedTokenError: If a request would emit a token without a draft of the security model.
    """
    lengths: list[int] = metadata.num_draft_tokens
    refuse_undrafted(runner, [row for row, length in enumerate(lengths) if not length])
    sampled = torch.full((len(lengths), metadata.max_spec_len + 1), NO_TOKEN, dtype=torch.int32, device=logits.device)
    rows = [row for row, length in enumerate(lengths) if length]
    if not rows:
        return SamplerOutput(sampled_token_ids=sampled, logprobs_tensors=None)
    target = _target_log_probs(runner.drafter, logits, metadata, [lengths[row] for row in rows])
    drafted = _drafted(runner, metadata, rows)
    decided = decide(drafted, target)
    if runner.drafter.watch is not None:
        runner.drafter.watch.note(drafted, target, decided)
    sampled[rows, : decided.shape[1]] = decided.int()
    wanted = runner.input_batch.sampling_metadata.max_num_logprobs
    return SamplerOutput(
        sampled_token_ids=sampled,
        logprobs_tensors=None if wanted is None else _logprobs(runner.sampler, target, rows, sampled, wanted),
    )


def refuse_undrafted(runner: Any, rows: Sequence[int]) -> None:
    """Check that these rows of the batch are in the middle of their prompt, so that no token of theirs is used.

    Raises:
        UnscreenedTokenError: If one is not.
    """
    due = [row for row in rows if not runner.discard_request_mask.np[row]]
    if due:
        raise UnscreenedTokenError(
            f"Request {runner.input_batch.req_ids[due[0]]} was scheduled to emit a token without a draft of the "
            "security model. The plugin and this vLLM do not fit; please report it."
        )


def _drafted(runner: Any, metadata: Any, rows: list[int]) -> DraftedRows:
    """The kept drafts of these rows, checked against the tokens that were scheduled."""
    drafter: SecurityDrafter = runner.drafter
    ids = [runner.input_batch.req_ids[row] for row in rows]
    states = [drafter.state(one) for one in ids]
    first = [len(runner.requests[one].output_token_ids) for one in ids]
    lengths = [metadata.num_draft_tokens[row] for row in rows]
    tokens: list[list[int]] = [part.tolist() for part in metadata.draft_token_ids.split(lengths)]
    kept = drafter.drafts.take(ids, first, tokens)
    return DraftedRows(
        rules=[state.rule for state in states],
        keys=[state.key for state in states],
        first=first,
        lengths=lengths,
        token_ids=kept.token_ids,
        proposal_probs=kept.proposal_probs,
        security_log_probs=kept.security_log_probs,
        base_log_probs=kept.base_log_probs,
    )


def _target_log_probs(
    drafter: SecurityDrafter, logits: Tensor, metadata: Any, lengths: list[int]
) -> Float[Tensor, "rows k vocab"]:
    """The target's raw log-probabilities at each drafted position; padding repeats a request's last position."""
    k = max(lengths)
    scored = drafter.log_probs(logits[metadata.target_logits_indices])
    if min(lengths) == k:
        return scored.reshape(len(lengths), k, -1)
    starts = [sum(lengths[:row]) for row in range(len(lengths))]
    places = [
        [start + min(place, length - 1) for place in range(k)] for start, length in zip(starts, lengths, strict=True)
    ]
    return scored[torch.tensor(places, device=scored.device)]


def _logprobs(
    sampler: Any,
    target: Float[Tensor, "rows k vocab"],
    rows: list[int],
    sampled: Int[Tensor, "batch places"],
    count: int,
) -> LogprobsTensors:
    """The target's log-probabilities of the emitted tokens and of alternatives, for every place of ``sampled``."""
    batch, places = sampled.shape
    k = target.shape[1]
    whole = target.new_zeros(batch, places, target.shape[-1])
    whole[rows, :k] = target
    tokens = sampled.clamp(min=0).long().flatten()
    gathered: LogprobsTensors = sampler.gather_logprobs(whole.flatten(0, 1), count, tokens)
    return gathered
