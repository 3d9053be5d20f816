"""A step as vLLM's V2 model runner describes it: flat arrays over all scored rows, positions in place of counts.

Axes: batch = requests of a step, scored = rows of the target's scores: one for each drafted token of a request, and one
more.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from cosec.vllm_plugin.deciding.decision import NO_TOKEN
from cosec.vllm_plugin.deciding.verification import Step


def flat_step(
    request_ids: Sequence[str],
    *,
    prompt_lengths: Sequence[int],
    known_lengths: Sequence[int],
    bounds: Sequence[int],
    tokens: Sequence[int],
    positions: Sequence[int],
    sequence_lengths: Sequence[int],
) -> Step:
    """Describe a step.

    Args:
        request_ids: The requests of the batch.
        prompt_lengths: Number of prompt tokens of each request.
        known_lengths: Number of tokens that each request had when it was last admitted: its prompt, and after a
            preemption also what it had been given.
        bounds: Where the scored rows of each request begin, and the end of the last.
        tokens: The token that was fed in each scored row: the latest token of a request, then its draft.
        positions: The place of that token in its sequence.
        sequence_lengths: Number of tokens of each request that have been fed, the draft included.
    """
    rows = [range(*bounds[request : request + 2]) for request in range(len(request_ids))]
    return Step(
        request_ids=request_ids,
        first=[positions[own[0]] + 1 - prompt for own, prompt in zip(rows, prompt_lengths, strict=True)],
        drafted=[[tokens[row] for row in own[1:]] for own in rows],
        due=[fed >= known for fed, known in zip(sequence_lengths, known_lengths, strict=True)],
    )


def counts(token_ids: Int[Tensor, "batch places"], step: Step) -> tuple[Int[Tensor, "batch"], Int[Tensor, "batch"]]:
    """How many tokens each request is given, and how many of its scored rows are taken back."""
    given = (token_ids != NO_TOKEN).sum(dim=-1).int()
    rows = torch.tensor([len(draft) + 1 for draft in step.drafted], dtype=torch.int32, device=given.device)
    due = torch.tensor(step.due, device=given.device)
    return given, torch.where(due, rows - given, 0)


def flat_tokens(token_ids: Int[Tensor, "batch places"], step: Step) -> Int[Tensor, "scored"]:
    """The token of each scored row; 0 in rows without one."""
    return torch.cat([row[: len(draft) + 1] for row, draft in zip(token_ids, step.drafted, strict=True)]).clamp(min=0)


def next_tokens(
    last_given: Int[Tensor, "slots"],
    next_known: Int[Tensor, "slots"],
    slots: Int[Tensor, "batch"],
    given: Int[Tensor, "batch"],
) -> Int[Tensor, "slots"]:
    """The token that the drafter is fed after each request's step: the last one given, or the next of its prompt.

    Args:
        last_given: The last token that each slot's request was given.
        next_known: The token after those of a prompt that have been fed.
        slots: The slot of each request of the batch.
        given: Number of tokens that each request is given in this step.
    """
    tokens = last_given.clone()
    tokens[slots] = torch.where(given > 0, last_given[slots], next_known[slots].to(last_given.dtype))
    return tokens
