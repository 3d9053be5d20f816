"""The loop: draft, verify, emit, roll back. Token ids in, token records out.

A :class:`Run` holds a batch of sequences. ``step`` advances every one of them by a block of 1 to k tokens and returns
what was emitted; finished sequences leave the batch at once, and others may join it between blocks, each under a rule
and sampling of its own. Knows neither text nor models, only lanes and rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.engine.draft_length import DraftLength, draft_length_for
from cosec.decoding.engine.lanes import Lanes, Scores
from cosec.decoding.engine.row_rules import RowRules
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.verification import Rule, Verification
from cosec.decoding.sampling import TokenDistribution
from cosec.decoding.sampling.randomness import Role, sequence_key, uniforms
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenOrigin, TokenRecord
from cosec.errors import ModelError

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceRequest:
    """One completion to produce."""

    prompt_ids: tuple[int, ...]
    """The prompt, at least one token."""

    sample_index: int = 0
    """Which of the n samples of its prompt; part of its random identity."""

    max_new_tokens: int
    """Length limit of this completion."""

    settings: DecodingSettings | None = None
    """Rule and sampling of this completion alone; None: the run's. The draft length is always the run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """What one block added to one sequence."""

    sequence: int
    """Index of its request."""

    records: tuple[TokenRecord, ...]
    """The new tokens, in order; a stop token is the last."""

    finish_reason: FinishReason | None
    """Set when the sequence is complete."""


@dataclass(slots=True)
class _Row:
    """A sequence in the running batch."""

    sequence: int
    request: SequenceRequest
    settings: DecodingSettings
    rule: Rule
    key: bytes
    emitted: int = 0


@dataclass(slots=True)
class _Block:
    """What a block decided, before it is cut into emissions."""

    token_ids: Int[Tensor, "rows k"]
    accepted: list[int]
    proposed: Int[Tensor, "rows k"] | None
    verdict: Verification | None
    scores: Scores


class Run:
    """A batch of sequences being decoded."""

    def __init__(
        self,
        lanes: Lanes,
        rule: Rule,
        settings: DecodingSettings,
        stop_token_ids: frozenset[int],
        requests: Sequence[SequenceRequest],
        draft_length: DraftLength | None = None,
    ) -> None:
        """Prefill every distinct prompt once and expand it to its samples; without requests the run starts empty.

        Pass ``draft_length`` to let a chooser keep what it learned in earlier runs; by default the settings decide.
        """
        self._rule = rule
        self._settings = settings
        self._stop_token_ids = stop_token_ids
        self._rows: list[_Row] = []
        self._rules = RowRules([])
        self._next_sequence = 0
        self._lanes: Lanes | None = None
        self._emptied: Lanes | None = None
        """Lanes without rows, whose memory the next batch takes."""
        self._pending = torch.empty(0, dtype=torch.long)
        self._draft_length = draft_length or draft_length_for(settings.sampling.draft_length, lanes.longest_draft)
        self._cancelled: set[int] = set()
        if requests:
            distinct = dict.fromkeys(request.prompt_ids for request in requests)
            order = {prompt: index for index, prompt in enumerate(distinct)}
            prefilled = lanes.prefill([prompt[:-1] for prompt in distinct])
            prefilled.select([order[request.prompt_ids] for request in requests])
            self.join(requests, prefilled)

    def join(self, requests: Sequence[SequenceRequest], *prefilled: Lanes) -> list[int]:
        """Add sequences to the batch, from the next block on.

        Args:
            requests: What to complete.
            prefilled: Lanes of the kind this run was made with; together they have a row for each request, in order,
                that was fed its prompt but for the last token. They are used up.

        Returns:
            The number by which emissions call each of them.
        """
        pending = torch.tensor([request.prompt_ids[-1] for request in requests])
        first, *others = prefilled if self._lanes is None else (self._lanes, *prefilled)
        if others:
            if self._emptied is not None:
                first, others, self._emptied = self._emptied, [first, *others], None
            first.join(others)
        self._lanes = first
        self._pending = torch.cat([self._pending, pending.to(self._pending.device)])
        numbers = list(range(self._next_sequence, self._next_sequence + len(requests)))
        self._next_sequence += len(requests)
        for number, request in zip(numbers, requests, strict=True):
            self._rows.append(self._row(number, request))
        self._rules = RowRules([row.rule for row in self._rows])
        return numbers

    def _row(self, number: int, request: SequenceRequest) -> _Row:
        settings, rule = request.settings or self._settings, self._rule
        if request.settings is not None:
            same = (row.rule for row in self._rows if _decided_alike(row.settings, settings))
            rule = next(same, None) or rule_for(settings)
        key = sequence_key(settings.sampling.seed, request.prompt_ids, request.sample_index)
        return _Row(number, request, settings, rule, key)

    @property
    def active(self) -> int:
        """Sequences still running."""
        return len(self._rows)

    def cancel(self, sequence: int) -> None:
        """Take a sequence out of the batch before the next block; nothing more is emitted for it."""
        self._cancelled.add(sequence)

    @torch.inference_mode()
    def step(self) -> list[Emission]:
        """Advance every running sequence by one block; empty when none is left."""
        self._drop([row for row, entry in enumerate(self._rows) if entry.sequence in self._cancelled])
        self._cancelled.clear()
        if not self._rows or self._lanes is None:
            return []
        longest = max(row.request.max_new_tokens - row.emitted for row in self._rows)
        k = min(self._draft_length.next(), longest)
        block = self._decide(self._lanes, k)
        emissions = self._emit(block, k)
        self._lanes.rollback([max(0, k - 1 - count) for count in block.accepted])
        last = torch.tensor([min(count, k - 1) for count in block.accepted], device=block.token_ids.device)
        self._pending = block.token_ids.gather(1, last.unsqueeze(1)).squeeze(1)
        self._drop([row for row, emission in enumerate(emissions) if emission.finish_reason])
        return emissions

    def _decide(self, lanes: Lanes, k: int) -> _Block:
        keys = [row.key for row in self._rows]
        proposed: list[Tensor] = []
        proposal_probs: list[Tensor] = []
        proposals: TokenDistribution | None = None

        def propose(log_probs: Float[Tensor, "rows vocab"], index: int) -> Int[Tensor, "rows"]:
            nonlocal proposals
            _refuse_nan("security", log_probs)
            numbers = uniforms(keys, [row.emitted + index for row in self._rows], Role.PROPOSAL)
            tokens, probs, distribution = self._rules.propose(log_probs, numbers)
            proposed.append(tokens)
            proposal_probs.append(probs)
            proposals = distribution if k == 1 else None
            return tokens

        scores = lanes.advance(self._pending, k, propose)
        _refuse_nan("target", scores.target_log_probs)
        verdict = None
        if scores.security_log_probs is None:
            accepted = [0] * len(self._rows)
            tokens = torch.zeros(len(self._rows), 1, dtype=torch.long, device=scores.target_log_probs.device)
        else:
            tokens = torch.stack(proposed, dim=1)
            draft = Draft(
                token_ids=tokens,
                security_log_probs=scores.security_log_probs,
                proposal_probs=torch.stack(proposal_probs, dim=1),
                base_log_probs=scores.base_log_probs,
                chances=self._chances(keys, k) if self._rules.draws_acceptance else None,
                proposals=proposals,
            )
            verdict = self._rules.verify(draft, scores.target_log_probs)
            accepted = verdict.accepted_count.tolist()
            self._draft_length.observe(
                k,
                rows=len(accepted),
                accepted=sum(accepted),
                judged=sum(min(count + 1, k) for count in accepted),
                draft_seconds=scores.draft_seconds,
                target_seconds=scores.target_seconds,
            )
        block = _Block(tokens, accepted, tokens if proposed else None, verdict, scores)
        block.token_ids = self._with_fallbacks(block, proposals, keys)
        return block

    def _chances(self, keys: list[bytes], k: int) -> Float[Tensor, "rows k"]:
        """A number per row and drafted position, the same for every draft length."""
        positions = [row.emitted for row in self._rows]
        columns = [uniforms(keys, [start + index for start in positions], Role.ACCEPTANCE) for index in range(k)]
        return torch.stack(columns, dim=1)

    def _with_fallbacks(self, block: _Block, proposals: TokenDistribution | None, keys: list[bytes]) -> Tensor:
        """The block's tokens with the first rejected one of each row replaced by the rule's choice."""
        tokens, accepted = block.token_ids, block.accepted
        k = tokens.shape[1]
        rejected = [row for row, count in enumerate(accepted) if count < k]
        if not rejected:
            return tokens
        places = [accepted[row] for row in rejected]
        positions = [self._rows[row].emitted + place for row, place in zip(rejected, places, strict=True)]
        emitted = tokens.clone()
        numbers = uniforms([keys[row] for row in rejected], positions, Role.FALLBACK)
        law = None if block.verdict is None else block.verdict.law
        at = replace(
            _position(block.scores, rejected, places),
            law=law and law.of_rows([row * k + place for row, place in zip(rejected, places, strict=True)]),
            proposal=proposals and proposals.of_rows(rejected),
        )
        emitted[rejected, places] = self._rules.fallback(rejected, at, numbers)
        return emitted

    def _emit(self, block: _Block, k: int) -> list[Emission]:
        """Cut the block at stop tokens and length limits and describe each token."""
        details = _Details(block, [row.settings.sampling.top_logprobs for row in self._rows])
        emissions = []
        for row, entry in enumerate(self._rows):
            room = entry.request.max_new_tokens - entry.emitted
            count = min(block.accepted[row] + 1, k, room)
            finish: FinishReason | None = "length" if count == room else None
            records = []
            for index in range(count):
                records.append(details.record(row, index, entry.emitted + index))
                if records[-1].token_id in self._stop_token_ids:
                    finish = "stop"
                    break
            entry.emitted += len(records)
            emissions.append(Emission(sequence=entry.sequence, records=tuple(records), finish_reason=finish))
        return emissions

    def _drop(self, rows: Sequence[int]) -> None:
        """Take rows out of the batch; the last ones take their places, so that the others' memory stays where it is."""
        if not rows or self._lanes is None:
            return
        kept = list(range(len(self._rows)))
        for row in sorted(rows, reverse=True):
            last = kept.pop()
            if row < len(kept):
                kept[row] = last
        self._rows = [self._rows[row] for row in kept]
        self._rules = RowRules([row.rule for row in self._rows])
        self._pending = self._pending[kept]
        self._lanes.select(kept)
        if not kept:
            self._lanes, self._emptied = None, self._emptied or self._lanes

    def free_memory(self) -> None:
        """Let go of memory that is kept for sequences to come."""
        self._emptied = None


def _decided_alike(one: DecodingSettings, other: DecodingSettings) -> bool:
    """Whether both lead to the same rule."""
    return one.rule == other.rule and (one.sampling.temperature, one.sampling.top_p) == (
        other.sampling.temperature,
        other.sampling.top_p,
    )


def _position(scores: Scores, rows: list[int], places: list[int]) -> Position:
    """What the models said at one place of each of these rows."""

    def at(log_probs: Tensor) -> Tensor:
        if log_probs.shape[:2] == (len(rows), 1):  # every row's only place: nothing to copy
            return log_probs[:, 0]
        return log_probs[rows, places]

    return Position.picked(at, scores.target_log_probs, scores.security_log_probs, scores.base_log_probs)


@dataclass(slots=True)
class _Details:
    """Everything the records say, fetched from the tensors once a block."""

    block: _Block
    top_logprobs: list[int | None]
    """Alternatives that each row wants recorded."""
    tokens: list[list[int]] = field(init=False)
    target: list[list[float]] = field(init=False)
    best: list[list[float]] = field(init=False)
    security: list[list[float]] | None = field(init=False, default=None)
    proposed: list[list[int]] | None = field(init=False, default=None)
    ratios: list[list[float]] | None = field(init=False, default=None)
    divergences: list[list[float]] | None = field(init=False, default=None)
    gated: list[list[bool]] | None = field(init=False, default=None)
    top: tuple[list[list[list[float]]], list[list[list[int]]]] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        block, scores = self.block, self.block.scores
        chosen = block.token_ids.unsqueeze(-1)
        self.tokens = block.token_ids.tolist()
        self.target = scores.target_log_probs.gather(-1, chosen).squeeze(-1).tolist()
        self.best = scores.target_log_probs.amax(dim=-1).tolist()
        if scores.security_log_probs is not None and block.proposed is not None and block.verdict is not None:
            verdict = block.verdict
            self.security = scores.security_log_probs.gather(-1, chosen).squeeze(-1).tolist()
            self.proposed, self.ratios = block.proposed.tolist(), verdict.acceptance_ratios.tolist()
            if verdict.divergences is not None and verdict.gated is not None:
                self.divergences, self.gated = verdict.divergences.tolist(), verdict.gated.tolist()
        wanted = [count for count in self.top_logprobs if count is not None]
        if wanted:
            alternatives = min(max(1, *wanted), scores.target_log_probs.shape[-1])
            values, ids = scores.target_log_probs.topk(alternatives, dim=-1)
            self.top = values.tolist(), ids.tolist()

    def record(self, row: int, index: int, position: int) -> TokenRecord:
        """The record of one emitted token."""
        log_prob = self.target[row][index]
        top, wanted = None, self.top_logprobs[row]
        if self.top is not None and wanted is not None:
            values, ids = self.top
            top = tuple(zip(ids[row][index], values[row][index], strict=True))[:wanted]
        # A batch of several rules has divergences only in some of its rows.
        gates = self.divergences is not None and not isnan(self.divergences[row][index])
        return TokenRecord(
            position=position,
            token_id=self.tokens[row][index],
            origin=TokenOrigin.SECURITY if index < self.block.accepted[row] else TokenOrigin.TARGET,
            changed=log_prob < self.best[row][index],
            target_log_prob=log_prob,
            security_log_prob=self.security[row][index] if self.security is not None else None,
            proposed_id=self.proposed[row][index] if self.proposed is not None else None,
            acceptance_ratio=self.ratios[row][index] if self.ratios is not None else None,
            divergence=self.divergences[row][index] if gates and self.divergences is not None else None,
            gated=self.gated[row][index] if gates and self.gated is not None else None,
            top_logprobs=top,
        )


def _refuse_nan(which: str, log_probs: Float[Tensor, "... vocab"]) -> None:
    """Check the first entry of each distribution: one logit that is not finite makes all of its row NaN."""
    if bool(log_probs[..., 0].isnan().any()):
        raise ModelError(
            f"The {which} model answered with numbers that are not finite. Its weights are damaged, or overflow in "
            "their number format: load it with --dtype float32 or bfloat16."
        )
