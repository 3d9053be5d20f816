"""The running batches of the server: one for each *arm*, as arms keep different values in memory.

The arm ``target`` runs the target alone, ``hardened`` both models, ``compared`` also the security model's own base, and
``opposed`` an anti-expert. With shared weights the base is the target, so that ``compared`` is not used. The arm
``security`` runs the security model alone, where the target changes no token and nothing is told about it. Everything
here runs on the scheduler's thread, and knows neither HTTP nor queues.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from cosec.decoding.batch import Batch, BatchSetup, PromptReading, batch_setup, runs_without_target
from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import LongestBeginning, PromptCache, most_cached_prompts
from cosec.decoding.rules.schema import Contrast, SteerSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.serving.scheduler.prompt_scoring import PromptScoring
from cosec.serving.scheduler.request import DecodingRequest
from cosec.serving.scheduler.tickets import Progress, Row, Ticket, Waiting

Arm = Literal["target", "security", "hardened", "compared", "opposed"]
"""Which models run for a request."""

_CONTRASTS: Mapping[Arm, Contrast] = MappingProxyType({"compared": "base", "opposed": "anti-expert"})


@dataclass(slots=True, eq=False)
class Reading:
    """A prompt that is being scored and read, before its samples join."""

    part: Waiting
    """The samples."""

    arm: Arm
    """The arm they will join."""

    prompt: PromptReading
    """The prompt on its way into the arm's lanes."""

    scoring: PromptScoring | None
    """Scores the prompt's own tokens first; None if the request does not ask for that."""

    @property
    def missing(self) -> int:
        """Number of prompt tokens still to be scored or fed. Nothing is fed for a request of no new tokens."""
        unfed = self.prompt.missing if self.prompt.request.max_new_tokens else 0
        return unfed + (0 if self.scoring is None else self.scoring.missing)


Step = list[tuple[Row, Progress, float]]
"""What one block of one arm did: each row's progress, and the seconds since its previous block."""


@dataclass(slots=True, eq=False)
class _Running:
    """One arm's batch, with the server's rows by the batch's numbers."""

    batch: Batch
    rows: dict[int, Row] = field(default_factory=dict)


class Batches:
    """The running batches of all arms of one pair of models.

    Args:
        pair: The models.
        draft_length: Number of tokens drafted per block, for all requests.
        prompt_cache_tokens: Size of the prompt cache that all arms share; 0 for none.
        target_records: Whether records always say what the target gives each token. Otherwise they do where it runs.
    """

    def __init__(
        self,
        pair: PreparedPair,
        draft_length: int | Literal["auto"] = "auto",
        prompt_cache_tokens: int = 0,
        *,
        target_records: bool = False,
    ) -> None:
        self._pair = pair
        self._target_records = target_records
        self._settings = DecodingSettings(sampling=SamplingSettings(draft_length=draft_length))
        self._running: dict[Arm, _Running] = {}
        self._cache: PromptCache[Lanes] = PromptCache(
            prompt_cache_tokens, LongestBeginning(), most_cached_prompts(pair)
        )

    @property
    def active(self) -> int:
        """Number of completions under way in all arms."""
        return sum(running.batch.active for running in self._running.values())

    @property
    def arms(self) -> list[Arm]:
        """Arms that have a step to do, if only to free the memory of sequences that left."""
        return [arm for arm, running in self._running.items() if not running.batch.idle]

    @property
    def remembered_tokens(self) -> int:
        """Number of tokens in the key-value caches of running sequences and in the prompt cache."""
        return self._cache.tokens + sum(running.batch.remembered_tokens for running in self._running.values())

    @property
    def holds_spare_memory(self) -> bool:
        """Whether memory of earlier sequences is kept for later ones."""
        return any(running.batch.holds_spare_memory for running in self._running.values())

    def free_memory(self) -> None:
        """Free memory that is kept for later sequences; cached prompts stay."""
        for running in self._running.values():
            running.batch.free_memory()

    def arm_of(self, asked: DecodingRequest) -> Arm:
        """The arm that a request runs in."""
        if not asked.hardened:
            return "target"
        told = self._target_records or asked.audit == "tokens"
        if not told and runs_without_target(self._pair, asked.settings):
            return "security"
        contrast = asked.settings.rule.contrast
        if contrast == "base":
            return "hardened" if self._pair.shared_weights else "compared"
        return "opposed" if contrast == "anti-expert" else "hardened"

    def start_reading(self, part: Waiting) -> Reading:
        """Start to read a prompt, after the beginning of it that the cache holds."""
        arm, asked = self.arm_of(part.ticket.asked), part.ticket.asked
        prompt = self._arm(arm).batch.start_reading(part.request())
        scoring = None
        if asked.scores_prompts and 0 in part.samples:
            alternatives = asked.settings.sampling.top_logprobs or 0
            scoring = PromptScoring(self._pair.target_model(), part.prompt_ids, alternatives)
        return Reading(part, arm, prompt, scoring)

    def read(self, reading: Reading, at_most: int) -> int:
        """Score or feed up to ``at_most`` more prompt tokens.

        Returns:
            The number of tokens scored or fed.
        """
        if reading.scoring is not None and reading.scoring.missing:
            return reading.scoring.read(at_most)
        if not reading.prompt.request.max_new_tokens:
            return 0
        # A request that is alone gets its first token from the pass that reads the prompt.
        return reading.prompt.feed(at_most, defer=not self.active)

    def join(self, arm: Arm, read: Sequence[Reading]) -> None:
        """Let the samples of prompts that have been read take part in the arm's next block."""
        running = self._arm(arm)
        numbers = running.batch.join([reading.prompt for reading in read])
        now = time.monotonic()
        for reading, ones in zip(read, numbers, strict=True):
            rows = [reading.part.row(sample, now) for sample in reading.part.samples]
            running.rows.update(zip(ones, rows, strict=True))

    def drop(self, leaves: Callable[[Ticket], bool]) -> int:
        """Give up the completions of these requests; they leave before the next block.

        Returns:
            The number of completions given up.
        """
        dropped = 0
        for running in self._running.values():
            numbers = [number for number, row in running.rows.items() if leaves(row.ticket)]
            running.batch.cancel(numbers)
            for number in numbers:
                del running.rows[number]
            dropped += len(numbers)
        return dropped

    def step(self, arm: Arm) -> Step:
        """Decode one block of one arm."""
        running = self._running[arm]
        found = running.batch.step()
        now = time.monotonic()
        done = []
        for one in found:
            row = running.rows[one.sequence]
            if one.finish_reason is not None:
                del running.rows[one.sequence]
            progress = Progress(
                choice=row.choice,
                text=one.growth.text,
                records=one.records,
                finish_reason=one.finish_reason,
                stop_text=one.growth.stop_text,
                incomplete=one.growth.incomplete,
                cut=one.growth.cut,
            )
            done.append((row, progress, now - row.last_block))
            row.last_block = now
        return done

    def abandon(self, arm: Arm) -> list[Ticket]:
        """Discard an arm's batch and the prompt cache after a failure.

        Returns:
            The requests that were in the batch.
        """
        running = self._running.pop(arm, None)
        self._cache.clear()
        return [] if running is None else list(dict.fromkeys(row.ticket for row in running.rows.values()))

    def _arm(self, arm: Arm) -> _Running:
        if arm not in self._running:
            self._running[arm] = _Running(Batch(self._setup(arm), cache=self._cache))
        return self._running[arm]

    def _setup(self, arm: Arm) -> BatchSetup:
        if arm == "security":
            cancelling = self._settings.model_copy(update={"rule": SteerSettings(strength=1.0)})
            return batch_setup(self._pair, cancelling, target_records=False)
        alone: Literal["target"] | None = "target" if arm == "target" else None
        return batch_setup(self._pair, self._settings, alone, contrast=_CONTRASTS.get(arm, "none"))
