"""Tokens that a sequence must not emit yet: its stop tokens, before it has its minimum number of tokens.

At such a position every model is conditioned on another token before the rule sees its scores: the probability of the
barred tokens is 0, and the rest is renormalised. Other rows of the batch keep their scores unchanged, bit for bit.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from cosec.decoding.engine.lanes import Scores


def without_barred(
    log_probs: Float[Tensor, "rows vocab"], barred: Sequence[Collection[int]]
) -> Float[Tensor, "rows vocab"]:
    """One position of each row, conditioned on no barred token.

    Args:
        log_probs: Raw log-probabilities of one model.
        barred: Each row's barred tokens; ids outside of the shared vocabulary are ignored.

    Returns:
        The same tensor if nothing is barred, else a copy.
    """
    rows = [row for row, tokens in enumerate(barred) if any(token < log_probs.shape[-1] for token in tokens)]
    if not rows:
        return log_probs
    changed = log_probs[rows]
    for index, row in enumerate(rows):
        changed[index, [token for token in barred[row] if token < log_probs.shape[-1]]] = -math.inf
    return log_probs.index_copy(0, torch.tensor(rows, device=log_probs.device), changed.log_softmax(dim=-1))


def scores_without_barred(scores: Scores, barred: Sequence[Sequence[Collection[int]]]) -> Scores:
    """The scores of a block, conditioned on no barred token.

    Args:
        scores: The models' scores.
        barred: For each of the k positions, each row's barred tokens.

    Returns:
        The same object if nothing is barred. Models that share a tensor object still share one.
    """
    if not any(tokens for position in barred for tokens in position):
        return scores

    def limited(log_probs: Float[Tensor, "rows k vocab"]) -> Float[Tensor, "rows k vocab"]:
        return torch.stack([without_barred(log_probs[:, place], barred[place]) for place in range(len(barred))], dim=1)

    target, base = limited(scores.target_log_probs), scores.base_log_probs
    if base is not None:
        base = target if base is scores.target_log_probs else limited(base)
    security = scores.security_log_probs
    if security is not None:
        security = target if security is scores.target_log_probs else limited(security)
    return replace(scores, target_log_probs=target, security_log_probs=security, base_log_probs=base)
