"""Lanes: the running batch inside the models, with one contract for two models, shared weights, and the target alone.

Every row carries one *pending* token: chosen, but not yet fed to any model. Advancing by k feeds the pending token
and the first k-1 drafted ones, so the k rows of scores judge all k drafted tokens, and both models' caches always
hold the same tokens.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Propose = Callable[[Float[Tensor, "rows vocab"], int], Int[Tensor, "rows"]]
"""Chooses the proposals from the security model's raw log-probabilities at the given index of the draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the models said about one block."""

    target_log_probs: Float[Tensor, "rows k vocab"]
    """The target's raw log-probabilities at each position of the block."""

    security_log_probs: Float[Tensor, "rows k vocab"] | None
    """The security model's raw log-probabilities at the same positions; None when the target runs alone."""

    draft_seconds: float = 0.0
    """Wall time of the k drafting steps."""

    target_seconds: float = 0.0
    """Wall time of the target's pass over the k tokens."""


@runtime_checkable
class TokenModel(Protocol):
    """A language model over a batch of rows that remember what they were fed."""

    @property
    def row_count(self) -> int:
        """Rows in the running batch."""
        ...

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TokenModel:
        """A new batch with one row per prompt, fed with it."""
        ...

    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        """Feed tokens to every row; the logits after each."""
        ...

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row, all from the latest advances."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        ...


@runtime_checkable
class Lanes(Protocol):
    """The running batch of all models together."""

    longest_draft: int
    """The largest k that ``advance`` takes."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Lanes:
        """A new batch with one row per prompt, fed with it."""
        ...

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens with ``propose`` and score all of them."""
        ...

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of the latest block."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        ...


class TargetLane:
    """The target model alone: one token a step, nothing drafted."""

    longest_draft = 1

    def __init__(self, target: TokenModel) -> None:
        self._target = target

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TargetLane:
        """A new batch with one row per prompt."""
        return TargetLane(self._target.prefill(prompts))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Score the next position; nothing is proposed, so k must be 1."""
        assert k == 1
        logits = self._target.advance(pending.unsqueeze(1))
        return Scores(target_log_probs=logits.log_softmax(dim=-1), security_log_probs=None)

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row."""
        self._target.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self._target.select(rows)


class TwoModelLanes:
    """Two models with a cache each; the security model drafts step by step, the target scores the draft in one pass."""

    longest_draft = 64

    def __init__(self, security: TokenModel, target: TokenModel) -> None:
        self._security = security
        self._target = target

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TwoModelLanes:
        """A new batch with one row per prompt in both models."""
        return TwoModelLanes(self._security.prefill(prompts), self._target.prefill(prompts))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens, then score them with a single pass of the target."""
        started = time.perf_counter()
        fed, inputs, security_log_probs = pending, [], []
        for index in range(k):
            inputs.append(fed)
            step = self._security.advance(fed.unsqueeze(1)).log_softmax(dim=-1)
            security_log_probs.append(step)
            fed = propose(step[:, 0], index)
        drafted = time.perf_counter()
        target_log_probs = self._target.advance(torch.stack(inputs, dim=1)).log_softmax(dim=-1)
        return Scores(
            target_log_probs=target_log_probs,
            security_log_probs=security_log_probs[0] if k == 1 else torch.cat(security_log_probs, dim=1),
            draft_seconds=drafted - started,
            target_seconds=time.perf_counter() - drafted,
        )

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row in both models."""
        self._security.rollback(dropped)
        self._target.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in both models."""
        self._security.select(rows)
        self._target.select(rows)


class PairedLanes:
    """Shared weights in lockstep: one forward whose leading half of the rows has the adapter on and the other half off.

    ``paired`` is a model over twice as many rows: security rows first, then the target rows in the same order.
    """

    longest_draft = 1

    def __init__(self, paired: TokenModel) -> None:
        self._paired = paired

    def prefill(self, prompts: Sequence[Sequence[int]]) -> PairedLanes:
        """A new batch with a security row and a target row per prompt."""
        return PairedLanes(self._paired.prefill([*prompts, *prompts]))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Score the next position with both models in one forward; k is 1, as a draft would need the adapter alone."""
        assert k == 1
        rows = pending.shape[0]
        log_probs = self._paired.advance(torch.cat([pending, pending]).unsqueeze(1)).log_softmax(dim=-1)
        propose(log_probs[:rows, 0], 0)
        return Scores(target_log_probs=log_probs[rows:], security_log_probs=log_probs[:rows])

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row in both halves."""
        self._paired.rollback([*dropped, *dropped])

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in both halves."""
        half = self._paired.row_count // 2
        self._paired.select([*rows, *(half + row for row in rows)])
