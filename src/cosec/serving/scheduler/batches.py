"""The running batches: prompts are read in pieces, join between blocks, and leave as soon as they are done.

One batch for each *arm*, as what an arm keeps in memory differs: the target alone, both models, or both models and the
security model's own base. With shared weights the last two are the same. Everything here runs on the scheduler's
thread; knows neither HTTP nor queues.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from cosec.decoding.completion.growing import GrowingCompletion
from cosec.decoding.engine import Run
from cosec.decoding.engine.draft_length import DraftLength, draft_length_for
from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.serving.api.translation import Asked
from cosec.serving.scheduler.prefix_cache import PrefixCache
from cosec.serving.scheduler.prompt_scoring import PromptScoring
from cosec.serving.scheduler.tickets import Progress, Row, Ticket, Waiting

Arm = Literal["target", "hardened", "compared"]


@dataclass(slots=True, eq=False)
class _Batch:
    """One arm's running batch."""

    empty: Lanes
    """What every batch of this arm is made from."""

    draft_length: DraftLength
    run: Run
    rows: dict[int, Row]

    unkept: tuple[Row, Reading] | None = None
    """A prompt to remember once its row has a token."""


@dataclass(slots=True, eq=False)
class Reading:
    """A prompt that is being read before its samples join."""

    part: Waiting
    arm: Arm
    lanes: Lanes
    read: int
    """Prompt tokens the lanes were fed so far; the last token of a prompt is never fed beforehand."""

    scoring: PromptScoring | None
    """Where the prompt's own tokens are scored first; None where nobody asked for that."""

    hurries: bool = False
    """Whether the prompt's last piece is read together with the first block."""

    @property
    def unfed(self) -> int:
        """Prompt tokens that the lanes still have to be fed; none where nothing is to be completed."""
        return len(self.part.prompt_ids) - 1 - self.read if self.part.ticket.asked.max_new_tokens else 0

    @property
    def missing(self) -> int:
        """Prompt tokens still to be scored or fed."""
        return self.unfed + (0 if self.scoring is None else self.scoring.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one block of one arm did, for the metrics."""

    rows: int
    seconds: float
    events: list[tuple[Row, Progress, float]]
    """Each row's progress, and the seconds since its previous block."""


class Batches:
    """Every arm's running batch over one pair of models."""

    def __init__(
        self, pair: PreparedPair, draft_length: int | Literal["auto"] = "auto", prefix_cache_tokens: int = 0
    ) -> None:
        self._pair = pair
        self._settings = DecodingSettings(sampling=SamplingSettings(draft_length=draft_length))
        self._batches: dict[Arm, _Batch] = {}
        self._prefixes = PrefixCache(prefix_cache_tokens)

    @property
    def active(self) -> int:
        """Sequences in all batches."""
        return sum(len(batch.rows) for batch in self._batches.values())

    @property
    def arms(self) -> list[Arm]:
        """Arms that have something to do, if only to let go of the memory of sequences that left."""
        return [arm for arm, batch in self._batches.items() if batch.rows or batch.run.active]

    @property
    def remembered_tokens(self) -> int:
        """Tokens in the key-value caches of running sequences and of kept prompts."""
        rows = (row for batch in self._batches.values() for row in batch.rows.values())
        return self._prefixes.tokens + sum(row.prompt_tokens + len(row.growing.records) for row in rows)

    def arm_of(self, asked: Asked) -> Arm:
        """Which batch a request belongs to."""
        if not asked.hardened:
            return "target"
        needs_base = rule_for(asked.settings).needs_base
        return "compared" if needs_base and not self._pair.shared_weights else "hardened"

    def start_reading(self, part: Waiting) -> Reading:
        """Begin with the longest beginning of the prompt that is still remembered."""
        arm = self.arm_of(part.ticket.asked)
        known = self._prefixes.take(arm, part.prompt_ids[:-1])
        lanes, read = known if known is not None else (self._batch(arm).empty.prefill([()]), 0)
        scoring = None
        if part.ticket.asked.scores_prompts and 0 in part.samples:
            alternatives = part.ticket.asked.settings.sampling.top_logprobs or 0
            scoring = PromptScoring(self._pair.target_model(), part.prompt_ids, alternatives)
        return Reading(part, arm, lanes, read, scoring)

    def read(self, reading: Reading, at_most: int) -> int:
        """Score or feed up to so many more prompt tokens; how many it were."""
        if reading.scoring is not None and reading.scoring.missing:
            return reading.scoring.read(at_most)
        count = min(at_most, reading.unfed)
        piece = reading.part.prompt_ids[reading.read : reading.read + count]
        # Who is alone gets the first token from the pass that reads the prompt.
        reading.hurries = not self.active and count == reading.unfed and reading.part.alone
        reading.lanes.feed(piece, later=reading.hurries)
        reading.read += count
        return count

    def join(self, arm: Arm, read: Sequence[Reading]) -> None:
        """Let the samples of prompts that were read take part in their arm's next block.

        Requests for one prompt keep and read its keys and values once, like samples of one request.
        """
        batch = self._batch(arm)
        self._keep_unkept(arm)
        hurries = len(read) == 1 and read[0].hurries and not batch.run.active
        alike = defaultdict[tuple[int, ...], list[Reading]](list)
        for reading in read:
            if not hurries:
                self._prefixes.keep(arm, reading.part.prompt_ids[:-1], reading.lanes)
            alike[reading.part.prompt_ids].append(reading)
        lanes = [readings[0].lanes for readings in alike.values()]
        for one, readings in zip(lanes, alike.values(), strict=True):
            samples = sum(len(reading.part.samples) for reading in readings)
            if samples > 1:
                one.select([0] * samples)
        parts = [reading.part for readings in alike.values() for reading in readings]
        numbers = batch.run.join([request for part in parts for request in part.requests()], *lanes)
        now = time.monotonic()
        rows = [self._row(part, sample, now) for part in parts for sample in part.samples]
        batch.rows.update(zip(numbers, rows, strict=True))
        if hurries:
            batch.unkept = rows[0], read[0]

    def _keep_unkept(self, arm: Arm) -> None:
        """Remember a prompt that was not to delay its first token, unless its row has left already."""
        batch = self._batches[arm]
        if batch.unkept is None or not batch.unkept[0].growing.records:
            return
        (row, reading), batch.unkept = batch.unkept, None
        if row in batch.rows.values():
            self._prefixes.keep(arm, reading.part.prompt_ids[:-1], reading.lanes)

    def _row(self, part: Waiting, sample: int, now: float) -> Row:
        asked = part.ticket.asked
        growing = GrowingCompletion(
            self._pair.tokenizer, part.prompt_ids, asked.settings.sampling.stop, self._pair.stop_token_ids
        )
        return Row(part.ticket, part.prompt_index * asked.samples + sample, growing, len(part.prompt_ids), now)

    def drop(self, leaves: Callable[[Ticket], bool]) -> int:
        """Take the rows of these requests out before the next block; how many it were."""
        dropped = 0
        for batch in self._batches.values():
            for number in [number for number, row in batch.rows.items() if leaves(row.ticket)]:
                batch.run.cancel(number)
                del batch.rows[number]
                dropped += 1
        return dropped

    def step(self, arm: Arm) -> Step:
        """Advance one arm's batch by a block."""
        batch = self._batches[arm]
        self._keep_unkept(arm)
        rows = len(batch.rows)
        started = time.monotonic()
        emissions = batch.run.step()
        now = time.monotonic()
        events = []
        for emission in emissions:
            row = batch.rows[emission.sequence]
            growth = row.growing.take(emission.records, emission.finish_reason)
            if growth.finish_reason is not None:
                batch.run.cancel(emission.sequence)
                del batch.rows[emission.sequence]
            progress = Progress(
                choice=row.choice, text=growth.text, records=growth.records, finish_reason=growth.finish_reason
            )
            events.append((row, progress, now - row.last_block))
            row.last_block = now
        return Step(rows=rows, seconds=now - started, events=events)

    def free_memory(self) -> None:
        """Let go of memory that is kept for sequences to come; kept prompts stay."""
        for batch in self._batches.values():
            batch.run.free_memory()

    def abandon(self, arm: Arm) -> list[Ticket]:
        """Give up an arm's batch after a failure; the requests that were in it."""
        batch = self._batches.pop(arm, None)
        self._prefixes.clear()
        return [] if batch is None else list(dict.fromkeys(row.ticket for row in batch.rows.values()))

    def _batch(self, arm: Arm) -> _Batch:
        if arm not in self._batches:
            setting = self._settings.sampling.draft_length
            pair, base = self._pair, arm == "compared"
            lanes: Lanes = pair.target_lane() if arm == "target" else pair.lanes(setting, base=base)
            chooser = draft_length_for(setting, lanes.longest_draft)
            run = Run(lanes, rule_for(self._settings), self._settings, self._pair.stop_token_ids, [], chooser)
            self._batches[arm] = _Batch(lanes, chooser, run, {})
        return self._batches[arm]
