"""The running batch of completions: prompts are read, join between blocks, and leave when their completions end.

The completer, studies, ``generate`` of transformers and the server all decode through a :class:`Batch`; they differ
only in where requests come from and where progress goes. The life of a request:

1. :meth:`Batch.start_reading` looks its prompt up in the prompt cache.
2. :meth:`PromptReading.feed` reads the rest of the prompt, in one piece or in several.
3. :meth:`Batch.join` adds its samples to the batch. Equal prompts are kept once.
4. :meth:`Batch.step` decodes a block: sequences that ended leave, the engine runs, and each completion takes its tokens
   and may end (see :mod:`cosec.decoding.completion.growing`).

Sequences never influence each other, so a completion's text depends on neither the time it joins nor its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from cosec.decoding.completion import EndConditions, FinishReason, GrowingCompletion, Growth, MakeWatcher
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.draft_length import DraftLength
from cosec.decoding.engine.lanes import Lanes, ProposalLane
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import PromptCache, WholePrompts
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import Contrast
from cosec.decoding.rules.verification import Rule
from cosec.decoding.settings import DecodingSettings
from cosec.decoding.trace import TokenRecord
from cosec.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """Samples of one prompt."""

    prompt_ids: tuple[int, ...]
    """The prompt, at least one token."""

    samples: tuple[int, ...] = (0,)
    """Sample indices; each is a completion of its own."""

    max_new_tokens: int
    """Maximum number of new tokens of each completion."""

    stop: tuple[str, ...] = ()
    """Texts that end a completion."""

    stop_token_ids: frozenset[int] = frozenset()
    """Tokens that end a completion in addition to the batch's."""

    ignore_eos: bool = False
    """Whether the batch's stop tokens are tokens like others."""

    min_new_tokens: int = 0
    """Number of tokens before which no stop token is drawn and no stop text ends a completion."""

    settings: DecodingSettings | None = None
    """Rule and sampling settings; None for the batch's. The draft length and the ends are never taken from here."""

    watcher: MakeWatcher | None = None
    """Makes a watcher that ends a completion where its code ends; None to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSetup:
    """The models and the rule that a batch decodes with; see :func:`batch_setup`."""

    pair: PreparedPair
    """The models."""

    settings: DecodingSettings
    """Settings of requests that bring none."""

    rule: Rule
    """Decoding rule of requests that bring no settings."""

    lanes: Lanes
    """Empty lanes."""

    kind: Hashable
    """Key of the prompt cache: lanes of one kind keep the same values for the same prompt."""


def batch_setup(
    pair: PreparedPair,
    settings: DecodingSettings,
    alone: Literal["target", "security"] | None = None,
    *,
    contrast: Contrast | None = None,
    target_records: bool = True,
) -> BatchSetup:
    """Choose the models and the rule of a batch.

    Args:
        pair: The models.
        settings: Rule and sampling.
        alone: The only model to run; None for both, under the rule.
        contrast: What to run beside the security model, to compare them; None for what the rule of ``settings`` needs.
        target_records: Whether records say what the target gives each token. Without it, the target does not run where
            it changes no token (:func:`runs_without_target`). Texts stay the same, and requests may bring only
            settings of which that is true, too.

    Raises:
        SettingsError: If the pair lacks a model that the rule needs.
    """
    draft_length = settings.sampling.draft_length
    if alone is not None:
        lane = pair.target_lane() if alone == "target" else pair.security_lane()
        return BatchSetup(
            pair=pair, settings=settings, rule=rule_for(settings.for_one_model()), lanes=lane, kind=(alone,)
        )
    rule = rule_for(settings)
    if not target_records and runs_without_target(pair, settings):
        return BatchSetup(pair=pair, settings=settings, rule=rule, lanes=pair.proposal_lane(), kind=("proposals",))
    contrast = settings.rule.contrast if contrast is None else contrast
    lanes = pair.lanes(draft_length, contrast)
    # With shared weights the base is the target, which runs anyway.
    kind = ("both", "none" if contrast == "base" and pair.shared_weights else contrast, draft_length)
    return BatchSetup(pair=pair, settings=settings, rule=rule, lanes=lanes, kind=kind)


def runs_without_target(pair: PreparedPair, settings: DecodingSettings) -> bool:
    """Whether the target changes no token under these settings, and none of its log-probabilities are asked for.

    So it is under ``steer`` with strength 1, if the target is the security model's base.
    """
    return pair.target_is_base and settings.rule.cancels_base and settings.sampling.top_logprobs is None


@dataclass(slots=True, eq=False)
class PromptReading:
    """A prompt that is being read, before its samples join a batch."""

    request: CompletionRequest
    """The prompt and its samples."""

    lanes: Lanes
    """Lanes with one row, which is fed the prompt."""

    read: int
    """Number of prompt tokens fed so far. The last token of a prompt is fed with the first block."""

    deferred: bool = False
    """Whether the last piece waits for the first block, so that both take one pass."""

    @property
    def missing(self) -> int:
        """Number of prompt tokens still to be fed."""
        return len(self.request.prompt_ids) - 1 - self.read

    def feed(self, at_most: int | None = None, *, defer: bool = False) -> int:
        """Feed the next piece of the prompt.

        Args:
            at_most: Maximum number of tokens; None for all that is missing.
            defer: Feed the last piece together with the first block, so that the first token comes sooner. Applies
                only to a request for a single completion of several tokens.

        Returns:
            The number of tokens fed.
        """
        count = self.missing if at_most is None else min(at_most, self.missing)
        single = len(self.request.samples) == 1 and self.request.max_new_tokens > 1
        self.deferred = defer and single and count == self.missing
        self.lanes.feed(self.request.prompt_ids[self.read : self.read + count], later=self.deferred)
        self.read += count
        return count


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a block added to one completion."""

    sequence: int
    """Number of the completion, as returned by :meth:`Batch.join`."""

    completion: GrowingCompletion
    """The completion with all it has so far."""

    growth: Growth
    """The new part, and the finish reason once the completion has ended."""

    @property
    def records(self) -> tuple[TokenRecord, ...]:
        """The new tokens."""
        return self.growth.records

    @property
    def finish_reason(self) -> FinishReason | None:
        """Set when the completion has ended."""
        return self.growth.finish_reason


class Batch:
    """One running batch. Not thread-safe.

    Args:
        setup: The models and the rule.
        cache: Prompts that have been read, shared with other batches; None for none.
        stop_token_ids: Tokens that end a completion; None for the target model's.
        leave_together: Completions that have ended stay in the engine until there are more than this number of them,
            or others join. Leaving moves other sequences in memory.
        draft_length: Draft-length chooser, shared with other batches; None for a new one.
    """

    def __init__(
        self,
        setup: BatchSetup,
        *,
        cache: PromptCache[Lanes] | None = None,
        stop_token_ids: frozenset[int] | None = None,
        leave_together: int = 0,
        draft_length: DraftLength | None = None,
    ) -> None:
        self._setup = setup
        self._cache: PromptCache[Lanes] = PromptCache(0, WholePrompts()) if cache is None else cache
        self._stop_token_ids = setup.pair.stop_token_ids if stop_token_ids is None else stop_token_ids
        self._leave_together = leave_together
        self._run = Run(setup.lanes, setup.rule, setup.settings, draft_length=draft_length)
        self._open: dict[int, GrowingCompletion] = {}
        self._ended: set[int] = set()
        """Sequences whose completions have ended and that have not left the engine yet."""
        self._uncached: tuple[int, PromptReading] | None = None
        """A sequence whose prompt was deferred, to be cached after its first token."""
        self._alone: tuple[int, PromptReading] | None = None
        """The only sequence since the batch was empty, whose text can be cached with its prompt."""

    @property
    def active(self) -> int:
        """Number of completions under way."""
        return len(self._open)

    @property
    def idle(self) -> bool:
        """Whether :meth:`step` has nothing to do: no completion is under way, and none is still to leave."""
        return not self._run.active

    @property
    def remembered_tokens(self) -> int:
        """Number of tokens of all completions under way, prompts included."""
        return sum(one.prompt_tokens + len(one.records) for one in self._open.values())

    @property
    def holds_spare_memory(self) -> bool:
        """Whether memory of earlier sequences is kept for later ones."""
        return self._run.holds_spare_memory

    def free_memory(self) -> None:
        """Free memory that is kept for later sequences. The prompt cache keeps its own."""
        self._run.free_memory()

    def start_reading(self, request: CompletionRequest) -> PromptReading:
        """Start with the beginning of the prompt that the cache holds, or with an empty row.

        Raises:
            SettingsError: If the request brings settings that need the target, and it does not run in this batch.
        """
        alone = isinstance(self._setup.lanes, ProposalLane)
        if alone and request.settings is not None and not runs_without_target(self._setup.pair, request.settings):
            raise SettingsError("The request's settings need a batch with the target: leave target_records on.")
        known = self._cache.take(self._setup.kind, request.prompt_ids[:-1])
        lanes, read = known if known is not None else (self._setup.lanes.prefill([()]), 0)
        return PromptReading(request, lanes, read)

    def join(self, readings: Sequence[PromptReading]) -> list[list[int]]:
        """Let the samples of prompts that have been read take part from the next block on.

        Args:
            readings: Readings of this batch with nothing missing. They must not be used afterwards.

        Returns:
            For each reading, the numbers of its samples' completions.
        """
        if not readings:
            return []
        self._cache_deferred()
        self._drop_ended()
        alone = len(readings) == 1 and len(readings[0].request.samples) == 1 and not self._run.active
        deferred = alone and readings[0].deferred
        alike: dict[tuple[int, ...], list[int]] = {}
        for index, reading in enumerate(readings):
            if not deferred:
                self._cache.keep(self._setup.kind, reading.request.prompt_ids[:-1], reading.lanes)
            alike.setdefault(reading.request.prompt_ids, []).append(index)
        order = [index for indices in alike.values() for index in indices]
        prefilled = [_expanded([readings[index] for index in indices]) for indices in alike.values()]
        requests = [one for index in order for one in self._sequences(readings[index].request)]
        left = iter(self._run.join(requests, *prefilled))
        joined = {index: [next(left) for _ in readings[index].request.samples] for index in order}
        for index, numbers in joined.items():
            self._open.update((number, self._opened(readings[index].request)) for number in numbers)
        self._alone = (joined[0][0], readings[0]) if alone else None
        self._uncached = self._alone if deferred else None
        return [joined[index] for index in range(len(readings))]

    def step(self) -> list[Progress]:
        """Decode one block.

        Returns:
            The progress of each completion under way. A completion that has ended is not reported again.

        Raises:
            ModelError: If a model's scores are not finite.
        """
        self._cache_deferred()
        if len(self._ended) > self._leave_together or not self._open:
            self._drop_ended()
        found = []
        for emission in self._run.step():
            completion = self._open.get(emission.sequence)
            if completion is not None:
                growth = completion.take(emission.records)
                found.append(Progress(sequence=emission.sequence, completion=completion, growth=growth))
        self._close([one.sequence for one in found if one.finish_reason is not None])
        return found

    def cancel(self, sequences: Collection[int]) -> list[Progress]:
        """End completions where they are.

        Args:
            sequences: Numbers of completions under way.

        Returns:
            The last progress of each. Nothing more is reported for them.
        """
        found = [
            Progress(sequence=number, completion=self._open[number], growth=self._open[number].cancel())
            for number in sequences
        ]
        self._close(sequences)
        return found

    def _opened(self, request: CompletionRequest) -> GrowingCompletion:
        ends = EndConditions(
            stop_token_ids=self._stop_tokens_of(request),
            max_new_tokens=request.max_new_tokens,
            stop=request.stop,
            min_new_tokens=request.min_new_tokens,
            watcher=request.watcher,
        )
        return GrowingCompletion(self._setup.pair.tokenizer, request.prompt_ids, ends)

    def _stop_tokens_of(self, request: CompletionRequest) -> frozenset[int]:
        return request.stop_token_ids if request.ignore_eos else self._stop_token_ids | request.stop_token_ids

    def _sequences(self, request: CompletionRequest) -> list[SequenceRequest]:
        barred = self._stop_tokens_of(request) if request.min_new_tokens else frozenset()
        return [
            SequenceRequest(
                prompt_ids=request.prompt_ids,
                sample_index=sample,
                max_new_tokens=request.max_new_tokens,
                settings=request.settings,
                barred_tokens=barred,
                barred_until=request.min_new_tokens,
            )
            for sample in request.samples
        ]

    def _close(self, sequences: Collection[int]) -> None:
        """Note that completions have ended; they leave the engine later."""
        for number in sequences:
            self._cache_text(number, self._open.pop(number))
        self._ended.update(sequences)

    def _cache_text(self, number: int, completion: GrowingCompletion) -> None:
        """Cache a prompt with its text, for requests that continue it; its completion must have been alone."""
        if self._alone is None or self._alone[0] != number or not self._cache.keeps_texts:
            return
        (_, reading), self._alone = self._alone, None
        written = [record.token_id for record in completion.records]
        if written and self._run.holds(number):  # the last token has not been fed
            self._cache.keep(self._setup.kind, (*reading.request.prompt_ids, *written[:-1]), reading.lanes)

    def _drop_ended(self) -> None:
        self._run.leave(self._ended)
        self._ended.clear()

    def _cache_deferred(self) -> None:
        """Cache a prompt whose reading was deferred, after its first token and before its completion has ended."""
        if self._uncached is None:
            return
        number, reading = self._uncached
        completion = self._open.get(number)
        if completion is not None and completion.records:
            self._cache.keep(self._setup.kind, reading.request.prompt_ids[:-1], reading.lanes)
        if completion is None or completion.records:
            self._uncached = None


def _expanded(alike: Sequence[PromptReading]) -> Lanes:
    """Lanes with one row for each sample of readings of one prompt; the prompt is kept once."""
    lanes = alike[0].lanes
    samples = sum(len(reading.request.samples) for reading in alike)
    if samples > 1:
        lanes.select([0] * samples)
    return lanes
