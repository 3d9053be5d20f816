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
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.runtime import TokenModel

Propose = Callable[[Float[Tensor, "rows vocab"], int], Int[Tensor, "rows"]]
"""Chooses the proposals from the security model's raw log-probabilities at the given index of the draft."""

BaseRows = Literal["none", "target", "trailing half"]
"""Where the security model's own base is scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the models said about one block."""

    target_log_probs: Float[Tensor, "rows k vocab"]
    """The target's raw log-probabilities at each position of the block."""

    security_log_probs: Float[Tensor, "rows k vocab"] | None
    """The security model's raw log-probabilities at the same positions; None when the target runs alone."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None = None
    """The security model's own base at the same positions; None when no rule asked for it."""

    draft_seconds: float = 0.0
    """Wall time of the k drafting steps."""

    target_seconds: float = 0.0
    """Wall time of the target's pass over the k tokens."""


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

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row; nothing is scored. A prompt may be read in pieces this way.

        ``later``: with the next block, in one pass.
        """
        ...

    def join(self, newcomers: Sequence[Any]) -> None:
        """Take in the rows of other batches of the same lanes, in order, after its own; the others are used up."""
        ...

    def fork(self, kept: int) -> Lanes:
        """A copy whose rows remember their first ``kept`` tokens only; all rows must have been fed alike."""
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

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row."""
        self._target.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[TargetLane]) -> None:
        """Take in the rows of other batches of the target."""
        self._target.join([one._target for one in newcomers])

    def fork(self, kept: int) -> TargetLane:
        """A copy that remembers the first ``kept`` tokens."""
        return TargetLane(self._target.fork(kept))


class TwoModelLanes:
    """Two models with a cache each; the security model drafts step by step, the target scores the draft in one pass.

    ``base`` says where the security model's own base comes from: nowhere, from the target (shared weights: it *is*
    the target), or from the ``trailing half`` of the security model's rows, whose adapter is off, so that both go
    through one forward.
    """

    longest_draft = 64

    def __init__(self, security: TokenModel, target: TokenModel, base: BaseRows = "none") -> None:
        self._security = security
        self._target = target
        self._base = base

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TwoModelLanes:
        """A new batch with one row per prompt in both models."""
        halves = self._base == "trailing half"
        security = _prefilled_halves(self._security, prompts) if halves else self._security.prefill(prompts)
        return TwoModelLanes(security, self._target.prefill(prompts), self._base)

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens, then score them with a single pass of the target."""
        started = time.perf_counter()
        rows = pending.shape[0]
        doubled = self._base == "trailing half"
        fed, inputs, steps = pending, [], []
        for index in range(k):
            inputs.append(fed)
            scored = self._security.advance((torch.cat([fed.flip(0), fed]) if doubled else fed).unsqueeze(1))
            step = scored.log_softmax(dim=-1)
            steps.append(torch.cat([step[:rows].flip(0), step[rows:]]) if doubled else step)
            fed = propose(steps[-1][:rows, 0], index)
        drafted = time.perf_counter()
        block = torch.stack([one.to(fed.device) for one in inputs], dim=1)  # the first may still be on the processor
        target_log_probs = self._target.advance(block).log_softmax(dim=-1)
        security_log_probs = steps[0] if k == 1 else torch.cat(steps, dim=1)
        return Scores(
            target_log_probs=target_log_probs,
            security_log_probs=security_log_probs[:rows],
            base_log_probs={"none": None, "target": target_log_probs, "trailing half": security_log_probs[rows:]}[
                self._base
            ],
            draft_seconds=drafted - started,
            target_seconds=time.perf_counter() - drafted,
        )

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row in both models."""
        self._security.rollback([*reversed(dropped), *dropped] if self._base == "trailing half" else dropped)
        self._target.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in both models."""
        if self._base == "trailing half":
            self._security.select(_in_both_halves(rows, self._security.row_count))
        else:
            self._security.select(rows)
        self._target.select(rows)

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row of both models."""
        self._security.feed(token_ids, later=later)
        self._target.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[TwoModelLanes]) -> None:
        """Take in the rows of other batches of the same two models."""
        self._target.join([one._target for one in newcomers])
        if self._base == "trailing half":
            _join_halves(self._security, [one._security for one in newcomers])
        else:
            self._security.join([one._security for one in newcomers])

    def fork(self, kept: int) -> TwoModelLanes:
        """A copy of both models' rows that remembers the first ``kept`` tokens."""
        return TwoModelLanes(self._security.fork(kept), self._target.fork(kept), self._base)


class PairedLanes:
    """Shared weights in lockstep: one forward whose leading half of the rows has the adapter on and the other half off.

    ``paired`` is a model over twice as many rows: security rows first, in reverse, then the target rows. So the twins
    of the first sequence lie in the middle, newcomers go to both ends, and nobody else's memory has to move. The
    target is the adapter's own base.
    """

    longest_draft = 1

    def __init__(self, paired: TokenModel) -> None:
        self._paired = paired

    def prefill(self, prompts: Sequence[Sequence[int]]) -> PairedLanes:
        """A new batch with a security row and a target row per prompt."""
        return PairedLanes(_prefilled_halves(self._paired, prompts))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Score the next position with both models in one forward; k is 1, as a draft would need the adapter alone."""
        assert k == 1
        rows = pending.shape[0]
        logits = self._paired.advance(torch.cat([pending.flip(0), pending]).unsqueeze(1))
        log_probs = logits.log_softmax(dim=-1)
        security, target = log_probs[:rows].flip(0) if rows > 1 else log_probs[:rows], log_probs[rows:]
        propose(security[:, 0], 0)
        return Scores(target_log_probs=target, security_log_probs=security, base_log_probs=target)

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row in both halves."""
        self._paired.rollback([*reversed(dropped), *dropped])

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in both halves."""
        self._paired.select(_in_both_halves(rows, self._paired.row_count))

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row of both halves."""
        self._paired.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[PairedLanes]) -> None:
        """Take in the rows of other batches of the same paired model."""
        _join_halves(self._paired, [one._paired for one in newcomers])

    def fork(self, kept: int) -> PairedLanes:
        """A copy of both halves that remembers the first ``kept`` tokens."""
        return PairedLanes(self._paired.fork(kept))


def _prefilled_halves(model: TokenModel, prompts: Sequence[Sequence[int]]) -> TokenModel:
    """A doubled batch: every prompt twice, the leading half in reverse."""
    batch = model.prefill([*prompts, *prompts])
    count = len(prompts)
    if count > 1:
        batch.select([*reversed(range(count)), *range(count, 2 * count)])
    return batch


def _in_both_halves(rows: Sequence[int], row_count: int) -> list[int]:
    """Where these sequences lie in a doubled batch: in its leading half, which is reversed, and in the other."""
    half = row_count // 2
    return [*(half - 1 - row for row in reversed(rows)), *(half + row for row in rows)]


def _join_halves(batch: TokenModel, newcomers: Sequence[TokenModel]) -> None:
    """Join doubled batches, so that all leading halves come first, the last newcomer's before the others'."""
    sizes = [one.row_count // 2 for one in (batch, *newcomers)]
    batch.join(newcomers)
    starts = [2 * sum(sizes[:index]) for index in range(len(sizes))]
    parts = list(zip(starts, sizes, strict=True))
    leading = [start + row for start, size in reversed(parts) for row in range(size)]
    trailing = [start + size + row for start, size in parts for row in range(size)]
    batch.select([*leading, *trailing])
