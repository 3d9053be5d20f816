"""Lanes: the models of a running batch behind one interface, for two models, shared weights, or one model alone.

Each row has one *pending* token: the last decided token, which no model has been fed yet. Advancing by k feeds the
pending token and the first k - 1 drafted tokens. The k scores then judge all k drafted tokens, and the caches of both
models always hold the same tokens.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.runtime import TokenModel

Propose = Callable[[Float[Tensor, "rows vocab"], int], Int[Tensor, "rows"]]
"""Chooses each row's proposal from the security model's raw log-probabilities; the second argument is its index."""

BaseRows = Literal["none", "target", "trailing half"]
"""Where the scores of the security model's own base come from; see :class:`TwoModelLanes`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The models' scores of one block."""

    target_log_probs: Float[Tensor, "rows k vocab"]
    """The target's raw log-probabilities at each position of the block."""

    security_log_probs: Float[Tensor, "rows k vocab"] | None
    """The security model's raw log-probabilities at these positions; None when one model runs alone."""

    base_log_probs: Float[Tensor, "rows k vocab"] | None = None
    """Raw log-probabilities of the security model's own base; None unless the lanes run it."""

    draft_seconds: float = 0.0
    """Wall time of the k drafting steps, in seconds."""

    target_seconds: float = 0.0
    """Wall time of the target's pass over the k tokens, in seconds."""

    target_scored: bool = True
    """Whether the target ran; if not, the security model's scores stand in its place: see :class:`ProposalLane`."""


@runtime_checkable
class Lanes(Protocol):
    """A batch of rows in all models that decode together.

    Every method changes the lanes in place, except ``prefill`` and ``fork``, which return new ones.
    """

    longest_draft: int
    """The largest k that :meth:`advance` accepts."""

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Lanes:
        """A new batch with one row for each prompt, fed with all of its tokens."""
        ...

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens with ``propose`` and score all of them.

        Args:
            pending: The last decided token of each row.
            k: Number of tokens to draft, from 1 to ``longest_draft``.
            propose: Chooses the proposals; called k times, or never when one model runs alone.
        """
        ...

    def rollback(self, dropped: Sequence[int]) -> None:
        """Remove the last ``dropped[row]`` tokens of each row; they must be from the latest block."""
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        ...

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row without scoring them, as when a prompt is read in pieces.

        Args:
            token_ids: The tokens.
            later: Feed them together with the next block, in one pass.
        """
        ...

    def join(self, newcomers: Sequence[Any]) -> None:
        """Append the rows of other batches of the same lanes, in order. The others must not be used afterwards."""
        ...

    def fork(self, kept: int) -> Lanes:
        """A copy with only the first ``kept`` tokens of each row. All rows must have been fed the same tokens."""
        ...


class TargetLane:
    """One model alone, the target or the security model: one token per step, without a draft."""

    longest_draft = 1

    def __init__(self, model: TokenModel) -> None:
        self._model = model

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TargetLane:
        """A new batch with one row per prompt."""
        return type(self)(self._model.prefill(prompts))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Score the next position; k must be 1."""
        assert k == 1
        logits = self._model.advance(pending.unsqueeze(1))
        return Scores(target_log_probs=logits.log_softmax(dim=-1), security_log_probs=None)

    def rollback(self, dropped: Sequence[int]) -> None:
        """Remove the last ``dropped[row]`` tokens of each row."""
        self._model.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self._model.select(rows)

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row."""
        self._model.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[TargetLane]) -> None:
        """Append the rows of other batches of this model."""
        self._model.join([one._model for one in newcomers])

    def fork(self, kept: int) -> TargetLane:
        """A copy with only the first ``kept`` tokens of each row."""
        return type(self)(self._model.fork(kept))


class ProposalLane(TargetLane):
    """The security model alone, under a rule whose law is that model's own distribution.

    Each proposal is drawn with the same random number as beside a target, and is always accepted, so the texts are the
    same. The scores have one tensor object for all models, which rules may test for.

    Args:
        model: The security model.
    """

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draw the next token; k must be 1."""
        assert k == 1
        started = time.perf_counter()
        log_probs = self._model.advance(pending.unsqueeze(1)).log_softmax(dim=-1)
        propose(log_probs[:, 0], 0)
        return Scores(
            target_log_probs=log_probs,
            security_log_probs=log_probs,
            base_log_probs=log_probs,
            draft_seconds=time.perf_counter() - started,
            target_scored=False,
        )


class TwoModelLanes:
    """Two models with a cache each: the security model drafts token by token, the target scores the draft in one pass.

    Args:
        security: The security model.
        target: The target model.
        base: Where the scores of the security model's own base come from. ``none``: it is not scored. ``target``: the
            target is the base, as with shared weights. ``trailing half``: ``security`` has twice the rows, and in the
            trailing half the adapter is off, or is an anti-expert, so that both share one forward pass.
    """

    longest_draft = 64

    def __init__(self, security: TokenModel, target: TokenModel, base: BaseRows = "none") -> None:
        self._security = security
        self._target = target
        self._base = base

    def prefill(self, prompts: Sequence[Sequence[int]]) -> TwoModelLanes:
        """A new batch with one row for each prompt in both models."""
        halves = self._base == "trailing half"
        security = _prefilled_halves(self._security, prompts) if halves else self._security.prefill(prompts)
        return TwoModelLanes(security, self._target.prefill(prompts), self._base)

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens, then score them in one pass of the target."""
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
        block = torch.stack([one.to(fed.device) for one in inputs], dim=1)  # the first may still be on the CPU
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
        """Remove the last ``dropped[row]`` tokens of each row in both models."""
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
        """Append the rows of other batches of the same two models."""
        self._target.join([one._target for one in newcomers])
        if self._base == "trailing half":
            _join_halves(self._security, [one._security for one in newcomers])
        else:
            self._security.join([one._security for one in newcomers])

    def fork(self, kept: int) -> TwoModelLanes:
        """A copy with only the first ``kept`` tokens of each row in both models."""
        return TwoModelLanes(self._security.fork(kept), self._target.fork(kept), self._base)


class ThreeModelLanes:
    """Two models, and the security model's own base as a third, for runtimes in which each model has its own pass.

    The base scores the whole draft in one pass, as the target does.

    Args:
        security: The security model.
        target: The target model.
        base: The security model's own base.
    """

    longest_draft = TwoModelLanes.longest_draft

    def __init__(self, security: TokenModel, target: TokenModel, base: TokenModel) -> None:
        self._both = TwoModelLanes(security, target)
        self._base = base

    def prefill(self, prompts: Sequence[Sequence[int]]) -> ThreeModelLanes:
        """A new batch with one row for each prompt in all models."""
        return self._with(self._both.prefill(prompts), self._base.prefill(prompts))

    def _with(self, both: TwoModelLanes, base: TokenModel) -> ThreeModelLanes:
        lanes = copy(self)
        lanes._both, lanes._base = both, base
        return lanes

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Draft k tokens, then score them in one pass of the target and one of the base."""
        inputs = [pending]

        def noted(log_probs: Float[Tensor, "rows vocab"], index: int) -> Int[Tensor, "rows"]:
            inputs.append(propose(log_probs, index))
            return inputs[-1]

        scores = self._both.advance(pending, k, noted)
        started = time.perf_counter()
        base = self._base.advance(torch.stack(inputs[:k], dim=1)).log_softmax(dim=-1)
        seconds = scores.target_seconds + time.perf_counter() - started
        return replace(scores, base_log_probs=base, target_seconds=seconds)

    def rollback(self, dropped: Sequence[int]) -> None:
        """Remove the last ``dropped[row]`` tokens of each row in all models."""
        self._both.rollback(dropped)
        self._base.rollback(dropped)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in all models."""
        self._both.select(rows)
        self._base.select(rows)

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row of all models."""
        self._both.feed(token_ids, later=later)
        self._base.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[ThreeModelLanes]) -> None:
        """Append the rows of other batches of the same models."""
        self._both.join([one._both for one in newcomers])
        self._base.join([one._base for one in newcomers])

    def fork(self, kept: int) -> ThreeModelLanes:
        """A copy with only the first ``kept`` tokens of each row in all models."""
        return self._with(self._both.fork(kept), self._base.fork(kept))


class PairedLanes:
    """Shared weights in lockstep: one forward pass for both models, with the adapter on for the leading rows.

    The target is the adapter's own base.

    Args:
        paired: A model with twice as many rows: the security rows in reverse order, then the target rows. The two rows
            of the first sequence lie in the middle and new sequences go to both ends, so that no other row moves.
    """

    longest_draft = 1

    def __init__(self, paired: TokenModel) -> None:
        self._paired = paired

    def prefill(self, prompts: Sequence[Sequence[int]]) -> PairedLanes:
        """A new batch with a security row and a target row for each prompt."""
        return PairedLanes(_prefilled_halves(self._paired, prompts))

    def advance(self, pending: Int[Tensor, "rows"], k: int, propose: Propose) -> Scores:
        """Score the next position with both models in one pass.

        k must be 1: a longer draft would need rows with the adapter alone.
        """
        assert k == 1
        rows = pending.shape[0]
        logits = self._paired.advance(torch.cat([pending.flip(0), pending]).unsqueeze(1))
        log_probs = logits.log_softmax(dim=-1)
        security, target = log_probs[:rows].flip(0) if rows > 1 else log_probs[:rows], log_probs[rows:]
        propose(security[:, 0], 0)
        return Scores(target_log_probs=target, security_log_probs=security, base_log_probs=target)

    def rollback(self, dropped: Sequence[int]) -> None:
        """Remove the last ``dropped[row]`` tokens of each row in both halves."""
        self._paired.rollback([*reversed(dropped), *dropped])

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, in both halves."""
        self._paired.select(_in_both_halves(rows, self._paired.row_count))

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row of both halves."""
        self._paired.feed(token_ids, later=later)

    def join(self, newcomers: Sequence[PairedLanes]) -> None:
        """Append the rows of other batches of the same paired model."""
        _join_halves(self._paired, [one._paired for one in newcomers])

    def fork(self, kept: int) -> PairedLanes:
        """A copy with only the first ``kept`` tokens of each row in both halves."""
        return PairedLanes(self._paired.fork(kept))


def _prefilled_halves(model: TokenModel, prompts: Sequence[Sequence[int]]) -> TokenModel:
    """A doubled batch: every prompt twice, the leading half in reverse order."""
    batch = model.prefill([*prompts, *prompts])
    count = len(prompts)
    if count > 1:
        batch.select([*reversed(range(count)), *range(count, 2 * count)])
    return batch


def _in_both_halves(rows: Sequence[int], row_count: int) -> list[int]:
    """The rows of these sequences in a doubled batch, whose leading half is in reverse order."""
    half = row_count // 2
    return [*(half - 1 - row for row in reversed(rows)), *(half + row for row in rows)]


def _join_halves(batch: TokenModel, newcomers: Sequence[TokenModel]) -> None:
    """Join doubled batches: all leading halves first, in reverse order of the batches, then all trailing halves."""
    sizes = [one.row_count // 2 for one in (batch, *newcomers)]
    batch.join(newcomers)
    starts = [2 * sum(sizes[:index]) for index in range(len(sizes))]
    parts = list(zip(starts, sizes, strict=True))
    leading = [start + row for start, size in reversed(parts) for row in range(size)]
    trailing = [start + size + row for start, size in parts for row in range(size)]
    batch.select([*leading, *trailing])
