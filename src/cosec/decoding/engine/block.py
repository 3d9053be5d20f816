"""One block of decoding: what the models and the rule decided, and the token records made from it.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan

from jaxtyping import Int
from torch import Tensor

from cosec.decoding.engine.lanes import Scores
from cosec.decoding.rules.verification import Verification
from cosec.decoding.trace import TokenOrigin, TokenRecord


@dataclass(slots=True)
class Block:
    """What one block decided for every row of the batch."""

    token_ids: Int[Tensor, "rows k"]
    """The decided tokens; of row i, only the first ``accepted[i] + 1`` count."""

    accepted: list[int]
    """Number of accepted proposals of each row, between 0 and k."""

    proposed: Int[Tensor, "rows k"] | None
    """The drafted tokens; None when the target runs alone."""

    verdict: Verification | None
    """The rule's verdict on the draft; None when the target runs alone."""

    scores: Scores
    """The models' log-probabilities at each position of the block."""

    judged: Scores
    """The same without tokens that may not come yet, which the rule decides by."""


@dataclass(slots=True)
class BlockRecords:
    """Makes token records from a block; copies the tensors to the host once for the whole block."""

    block: Block
    """The block that the records describe."""

    top_logprobs: Sequence[int | None]
    """For each row, how many of the target's most likely tokens a record lists; None for no list."""

    _tokens: list[list[int]] = field(init=False)
    _target: list[list[float]] | None = field(init=False, default=None)
    _changed: list[list[bool]] | None = field(init=False, default=None)
    _security: list[list[float]] | None = field(init=False, default=None)
    _proposed: list[list[int]] | None = field(init=False, default=None)
    _ratios: list[list[float]] | None = field(init=False, default=None)
    _divergences: list[list[float]] | None = field(init=False, default=None)
    _gated: list[list[bool]] | None = field(init=False, default=None)
    _top: tuple[list[list[list[float]]], list[list[list[int]]]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        block, scores = self.block, self.block.scores
        chosen = block.token_ids.unsqueeze(-1)
        self._tokens = block.token_ids.tolist()
        if scores.target_scored:
            self._target = scores.target_log_probs.gather(-1, chosen).squeeze(-1).tolist()
            # Both sides are judged: where tokens are barred, the others' log-probabilities rise.
            judged = block.judged.target_log_probs
            self._changed = (judged.gather(-1, chosen) < judged.amax(-1, keepdim=True)).squeeze(-1).tolist()
        if scores.security_log_probs is not None and block.proposed is not None and block.verdict is not None:
            verdict = block.verdict
            self._security = scores.security_log_probs.gather(-1, chosen).squeeze(-1).tolist()
            self._proposed, self._ratios = block.proposed.tolist(), verdict.acceptance_ratios.tolist()
            if verdict.divergences is not None and verdict.gated is not None:
                self._divergences, self._gated = verdict.divergences.tolist(), verdict.gated.tolist()
        wanted = [count for count in self.top_logprobs if count is not None]
        if wanted and scores.target_scored:
            alternatives = min(max(1, *wanted), scores.target_log_probs.shape[-1])
            values, ids = scores.target_log_probs.topk(alternatives, dim=-1)
            self._top = values.tolist(), ids.tolist()

    def record(self, row: int, index: int, position: int) -> TokenRecord:
        """The record of one emitted token.

        Args:
            row: Row of the batch.
            index: Index of the token in the block.
            position: Index of the token in its completion.
        """
        top, wanted = None, self.top_logprobs[row]
        if self._top is not None and wanted is not None:
            values, ids = self._top
            top = tuple(zip(ids[row][index], values[row][index], strict=True))[:wanted]
        # In a batch of several rules, the divergences of rows whose rule has none are NaN.
        gates = self._divergences is not None and not isnan(self._divergences[row][index])
        return TokenRecord(
            position=position,
            token_id=self._tokens[row][index],
            origin=TokenOrigin.SECURITY if index < self.block.accepted[row] else TokenOrigin.TARGET,
            changed=self._changed[row][index] if self._changed is not None else None,
            target_log_prob=self._target[row][index] if self._target is not None else None,
            security_log_prob=self._security[row][index] if self._security is not None else None,
            proposed_id=self._proposed[row][index] if self._proposed is not None else None,
            acceptance_ratio=self._ratios[row][index] if self._ratios is not None else None,
            divergence=self._divergences[row][index] if gates and self._divergences is not None else None,
            gated=self._gated[row][index] if gates and self._gated is not None else None,
            top_logprobs=top,
        )
