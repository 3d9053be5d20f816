"""The decoding loop on token ids: draft, verify, emit, roll back.

A :class:`Run` holds a batch of sequences. Each call of :meth:`Run.step` advances every sequence by a block of 1 to k
tokens and returns the new tokens. Sequences may join and leave between blocks, each with its own rule and sampling
settings. A sequence leaves by itself only at its length limit; :mod:`cosec.decoding.batch` decides all other ends.
The loop knows no text and no model, only lanes and rules.

Axes: rows = sequences, k = drafted tokens, vocab = entries that both models share.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cosec.decoding.engine.barred_tokens import scores_without_barred, without_barred
from cosec.decoding.engine.block import Block, BlockRecords
from cosec.decoding.engine.draft_length import DraftLength, draft_length_for
from cosec.decoding.engine.lanes import Lanes, Scores
from cosec.decoding.engine.row_rules import RowRules
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.draft import Draft, Position
from cosec.decoding.rules.verification import Rule
from cosec.decoding.sampling import TokenDistribution, Warping
from cosec.decoding.sampling.randomness import Role, sequence_key, uniforms
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord
from cosec.errors import ModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceRequest:
    """One sequence to decode."""

    prompt_ids: tuple[int, ...]
    """The prompt, at least one token."""

    sample_index: int = 0
    """Index among the samples of the prompt; part of the sequence's random identity."""

    max_new_tokens: int
    """Maximum number of new tokens."""

    settings: DecodingSettings | None = None
    """Rule and sampling settings of this sequence; None for the run's. The draft length is always the run's."""

    barred_tokens: frozenset[int] = frozenset()
    """Tokens that must not be emitted at first; see :mod:`cosec.decoding.engine.barred_tokens`."""

    barred_until: int = 0
    """Number of tokens before which they must not be emitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emission:
    """The tokens that one block added to one sequence."""

    sequence: int
    """Number of the sequence, as returned by :meth:`Run.join`."""

    records: tuple[TokenRecord, ...]
    """The new tokens, in order; at least one."""


@dataclass(slots=True)
class _Row:
    """A sequence in the running batch."""

    sequence: int
    request: SequenceRequest
    settings: DecodingSettings
    rule: Rule
    key: bytes
    emitted: int = 0

    def barred(self, index: int) -> frozenset[int]:
        """The tokens that must not be emitted ``index`` tokens from now."""
        return self.request.barred_tokens if self.emitted + index < self.request.barred_until else frozenset()


class Run:
    """A batch of sequences being decoded.

    Args:
        lanes: Empty lanes; every batch of this run is made from them.
        rule: Decoding rule of requests without settings of their own.
        settings: Settings of requests without settings of their own, and the run's draft length.
        requests: Sequences to start with. Each distinct prompt is read once.
        draft_length: Chooses the draft length; pass the same object to several runs to keep what it has measured.
            None for a new one, as the settings say.
    """

    def __init__(
        self,
        lanes: Lanes,
        rule: Rule,
        settings: DecodingSettings,
        requests: Sequence[SequenceRequest] = (),
        draft_length: DraftLength | None = None,
    ) -> None:
        self._rule = rule
        self._settings = settings
        self._rows: list[_Row] = []
        self._rules = RowRules([])
        self._next_sequence = 0
        self._lanes: Lanes | None = None
        self._emptied: Lanes | None = None
        """Lanes without rows; the next batch reuses their memory."""
        self._pending = torch.empty(0, dtype=torch.long)
        self._draft_length = draft_length or draft_length_for(settings.sampling.draft_length, lanes.longest_draft)
        if requests:
            distinct = dict.fromkeys(request.prompt_ids for request in requests)
            order = {prompt: index for index, prompt in enumerate(distinct)}
            prefilled = lanes.prefill([prompt[:-1] for prompt in distinct])
            prefilled.select([order[request.prompt_ids] for request in requests])
            self.join(requests, prefilled)

    def join(self, requests: Sequence[SequenceRequest], *prefilled: Lanes) -> list[int]:
        """Add sequences to the batch; they take part from the next block on.

        Args:
            requests: The sequences.
            prefilled: Lanes of this run's kind. Together they have one row for each request, in order, which has been
                fed the prompt except its last token. They must not be used afterwards.

        Returns:
            The number of each sequence, by which emissions refer to it.
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
        """Number of sequences in the batch."""
        return len(self._rows)

    def holds(self, sequence: int) -> bool:
        """Whether a sequence is in the batch."""
        return any(row.sequence == sequence for row in self._rows)

    @property
    def holds_spare_memory(self) -> bool:
        """Whether memory of an emptied batch is kept for the next one."""
        return self._emptied is not None

    def free_memory(self) -> None:
        """Free memory that is kept for the next batch."""
        self._emptied = None

    def leave(self, sequences: Collection[int]) -> None:
        """Take sequences out of the batch; numbers of sequences that have already left are ignored."""
        self._drop([row for row, entry in enumerate(self._rows) if entry.sequence in sequences])

    @torch.inference_mode()
    def step(self) -> list[Emission]:
        """Advance every sequence by one block.

        Returns:
            The new tokens of each sequence; empty when the batch is empty.

        Raises:
            ModelError: If a model's scores are not finite.
        """
        if not self._rows or self._lanes is None:
            return []
        longest = max(row.request.max_new_tokens - row.emitted for row in self._rows)
        k = min(self._draft_length.next(), longest)
        block = self._decide(self._lanes, k)
        emissions = self._emit(block, k)
        self._lanes.rollback([max(0, k - 1 - count) for count in block.accepted])
        last = torch.tensor([min(count, k - 1) for count in block.accepted], device=block.token_ids.device)
        self._pending = block.token_ids.gather(1, last.unsqueeze(1)).squeeze(1)
        self._drop([index for index, row in enumerate(self._rows) if row.emitted == row.request.max_new_tokens])
        return emissions

    def _decide(self, lanes: Lanes, k: int) -> Block:
        """Draft k tokens, score them, and apply the rules."""
        keys = [row.key for row in self._rows]
        proposed: list[Tensor] = []
        proposal_probs: list[Tensor] = []
        proposals: TokenDistribution | None = None

        def propose(log_probs: Float[Tensor, "rows vocab"], index: int) -> Int[Tensor, "rows"]:
            nonlocal proposals
            _refuse_nan("security", log_probs)
            log_probs = without_barred(log_probs, [row.barred(index) for row in self._rows])
            numbers = uniforms(keys, [row.emitted + index for row in self._rows], Role.PROPOSAL)
            tokens, probs, distribution = self._rules.propose(log_probs, numbers)
            proposed.append(tokens)
            proposal_probs.append(probs)
            proposals = distribution if k == 1 else None
            return tokens

        scores = lanes.advance(self._pending, k, propose)
        _refuse_nan("target", scores.target_log_probs)
        judged = scores_without_barred(scores, [[row.barred(index) for row in self._rows] for index in range(k)])
        if judged.security_log_probs is None:
            tokens = torch.zeros(len(self._rows), 1, dtype=torch.long, device=scores.target_log_probs.device)
            block = Block(tokens, [0] * len(self._rows), None, None, scores, judged)
        else:
            draft = Draft(
                token_ids=torch.stack(proposed, dim=1),
                security_log_probs=judged.security_log_probs,
                proposal_probs=torch.stack(proposal_probs, dim=1),
                base_log_probs=judged.base_log_probs,
                chances=self._chances(keys, k) if self._rules.draws_acceptance else None,
                proposals=proposals,
            )
            block = self._verified(draft, scores, judged, k)
        block.token_ids = self._with_fallbacks(block, judged, proposals, keys)
        return block

    def _verified(self, draft: Draft, scores: Scores, judged: Scores, k: int) -> Block:
        """Let the rules judge a draft, and the draft-length chooser learn from it.

        ``judged`` are the scores without barred tokens; the block keeps the raw ones for its records.
        """
        verdict = self._rules.verify(draft, judged.target_log_probs)
        accepted: list[int] = verdict.accepted_count.tolist()
        self._draft_length.observe(
            k,
            rows=len(accepted),
            accepted=sum(accepted),
            judged=sum(min(count + 1, k) for count in accepted),
            draft_seconds=scores.draft_seconds,
            target_seconds=scores.target_seconds,
        )
        return Block(draft.token_ids, accepted, draft.token_ids, verdict, scores, judged)

    def _chances(self, keys: list[bytes], k: int) -> Float[Tensor, "rows k"]:
        """One random number for each row and drafted position; the same for every draft length."""
        positions = [row.emitted for row in self._rows]
        columns = [uniforms(keys, [start + index for start in positions], Role.ACCEPTANCE) for index in range(k)]
        return torch.stack(columns, dim=1)

    def _with_fallbacks(
        self, block: Block, judged: Scores, proposals: TokenDistribution | None, keys: list[bytes]
    ) -> Tensor:
        """The block's tokens, with the first rejected one of each row replaced by the rule's fallback."""
        tokens, accepted = block.token_ids, block.accepted
        k = tokens.shape[1]
        rejected = [row for row, count in enumerate(accepted) if count < k]
        if not rejected:
            return tokens
        places = [accepted[row] for row in rejected]
        positions = [self._rows[row].emitted + place for row, place in zip(rejected, places, strict=True)]
        numbers = uniforms([keys[row] for row in rejected], positions, Role.FALLBACK)
        law = None if block.verdict is None else block.verdict.law
        at = replace(
            _position(judged, rejected, places),
            law=law and law.of_rows([row * k + place for row, place in zip(rejected, places, strict=True)]),
            proposal=proposals and proposals.of_rows(rejected),
        )
        fallbacks = self._rules.fallback(rejected, at, numbers)
        if k == 1 and len(rejected) == len(accepted):
            return fallbacks.unsqueeze(1)
        emitted = tokens.clone()
        emitted[rejected, places] = fallbacks
        return emitted

    def _emit(self, block: Block, k: int) -> list[Emission]:
        """Describe each row's new tokens, up to its length limit."""
        made = BlockRecords(block, [row.settings.sampling.top_logprobs for row in self._rows])
        emissions = []
        for index, row in enumerate(self._rows):
            count = min(block.accepted[index] + 1, k, row.request.max_new_tokens - row.emitted)
            records = tuple(made.record(index, place, row.emitted + place) for place in range(count))
            row.emitted += count
            emissions.append(Emission(sequence=row.sequence, records=records))
        return emissions

    def _drop(self, rows: Sequence[int]) -> None:
        """Take rows out of the batch; the last rows take their places, so that few rows move in memory."""
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


def _decided_alike(one: DecodingSettings, other: DecodingSettings) -> bool:
    """Whether both settings lead to the same rule."""
    return one.rule == other.rule and Warping.of(one.sampling) == Warping.of(other.sampling)


def _position(scores: Scores, rows: list[int], places: list[int]) -> Position:
    """The models' scores at one place of each of these rows."""

    def at(log_probs: Tensor) -> Tensor:
        if log_probs.shape[:2] == (len(rows), 1):  # every row's only place: no copy
            return log_probs[:, 0]
        return log_probs[rows, places]

    return Position.picked(at, scores.target_log_probs, scores.security_log_probs, scores.base_log_probs)


def _refuse_nan(which: str, log_probs: Float[Tensor, "... vocab"]) -> None:
    """Check the first entry of each distribution: log-softmax turns a whole row into NaN for one non-finite logit."""
    if math.isnan(float(log_probs[..., 0].sum())):  # log-probabilities are not infinite with both signs
        raise ModelError(
            f"The {which} model produced scores that are not finite. Its weights are damaged, or its number format "
            "overflows: load it with --dtype float32 or bfloat16."
        )
