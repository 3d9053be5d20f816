"""A batch that stays full: as rows end, waiting tasks take their places, so that no step is spent on a few long rows.

What a row says never depends on its neighbours, so the order in which tasks come changes the speed and no text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cosec.decoding.completer import Completion, rule_and_lanes
from cosec.decoding.completion.growing import GrowingCompletion
from cosec.decoding.engine import FinishReason, Run, SequenceRequest
from cosec.decoding.engine.draft_length import draft_length_for
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.settings import SamplingSettings
from cosec.decoding.trace import TokenRecord
from cosec.errors import PromptError
from cosec.evaluation.extraction.function_end import FunctionEnd
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.study.read_prompts import ReadPrompts
from cosec.evaluation.tasks.tasks import Task


@dataclass(slots=True)
class _Row:
    """One completion under way."""

    task: Task
    sample: int
    growing: GrowingCompletion
    end: FunctionEnd
    seconds: float = 0.0


@dataclass(slots=True)
class _Asked:
    """A task with the samples that are complete so far."""

    task: Task
    prompt_ids: tuple[int, ...]
    samples: int
    done: list[Completion] = field(default_factory=list)


class FullBatch:
    """One arm's running batch."""

    def __init__(
        self,
        pair: PreparedPair,
        arm: DecodingArm,
        sampling: SamplingSettings,
        *,
        rows: int,
        read: ReadPrompts | None = None,
    ) -> None:
        """An empty batch.

        Args:
            pair: The models.
            arm: Which of them decode, under which rule.
            sampling: Temperature, top-p, lengths and seed; ``stop`` is each task's own.
            rows: Sequences decoded at once.
            read: Prompts of this pair that were read before, for this arm or another.
        """
        settings = arm.settings(sampling)
        rule, self._lanes = rule_and_lanes(pair, settings, arm.alone)
        chooser = draft_length_for(sampling.draft_length, self._lanes.longest_draft)
        # Stop tokens are looked for here: a row that ended stays until a few can leave at once, as leaving moves
        # others in the batch's memory.
        self._run = Run(self._lanes, rule, settings, frozenset(), [], chooser)
        self._read = ReadPrompts(0) if read is None else read
        self._kind = arm.alone, rule.needs_base and not pair.shared_weights, sampling.draft_length
        self._pair, self._sampling, self._capacity = pair, sampling, rows
        self._rows: dict[int, _Row] = {}
        self._idle: list[int] = []

    def complete(self, tasks: Iterable[Task], *, samples: int) -> Iterator[tuple[Task, list[Completion]]]:
        """Every task with all its samples, as soon as they are complete; tasks are taken when there is room for them.

        Raises:
            PromptError: If a prompt is longer than the models' context.
        """
        waiting, asked = iter(tasks), {}
        more = True
        while more or self._rows:
            room = self._capacity - len(self._rows)
            if more and room >= max(min(samples, self._capacity), self._capacity // 4):
                new = self._take(waiting, samples, room)
                more = bool(new)
                asked.update({one.task.id: one for one in new})
                self._join(new)
            for completion, task in self._step():
                one = asked[task.id]
                one.done.append(completion)
                if len(one.done) == one.samples:
                    yield task, sorted(asked.pop(task.id).done, key=lambda done: done.sample_index)

    def _take(self, waiting: Iterator[Task], samples: int, room: int) -> list[_Asked]:
        """As many tasks as fill the room; at least one while there are any."""
        taken: list[_Asked] = []
        while not taken or (len(taken) + 1) * samples <= room:
            task = next(waiting, None)
            if task is None:
                break
            prompt_ids = tuple(self._pair.tokenizer(task.prompt).input_ids)
            if not prompt_ids or len(prompt_ids) >= self._pair.context_length:
                raise PromptError(
                    f"The prompt of {task.id} has {len(prompt_ids)} tokens; the models' context holds "
                    f"{self._pair.context_length}, and a completion needs some."
                )
            taken.append(_Asked(task, prompt_ids, samples))
        return taken

    def _join(self, new: list[_Asked]) -> None:
        if not new:
            return
        started = time.perf_counter()
        self._leave()
        prefilled = self._read.lanes_of(self._kind, self._lanes, [one.prompt_ids[:-1] for one in new])
        for lanes, one in zip(prefilled, new, strict=True):
            lanes.select([0] * one.samples)
        requests = [
            SequenceRequest(prompt_ids=one.prompt_ids, sample_index=sample, max_new_tokens=self._limit(one))
            for one in new
            for sample in range(one.samples)
        ]
        numbers = self._run.join(requests, *prefilled)
        rows = [self._row(one, sample) for one in new for sample in range(one.samples)]
        self._rows.update(zip(numbers, rows, strict=True))
        seconds = (time.perf_counter() - started) / len(rows)
        for row in rows:
            row.seconds += seconds

    def _limit(self, asked: _Asked) -> int:
        return min(self._pair.context_length - len(asked.prompt_ids), self._sampling.max_new_tokens)

    def _row(self, asked: _Asked, sample: int) -> _Row:
        task = asked.task
        growing = GrowingCompletion(self._pair.tokenizer, asked.prompt_ids, task.stop, self._pair.stop_token_ids)
        end = FunctionEnd(task.prompt, task.scenario.language if task.scenario is not None else "py")
        return _Row(task, sample, growing, end)

    def _step(self) -> Iterator[tuple[Completion, Task]]:
        """Advance by a block; what is complete after it."""
        started = time.perf_counter()
        if len(self._idle) > self._capacity // 12:
            self._leave()
        emissions = self._run.step()
        ended = []
        for emission in emissions:
            row = self._rows.get(emission.sequence)
            found = row and self._grow(row, emission.records, emission.finish_reason)
            if row and found:
                ended.append((emission.sequence, row, found))
        seconds = (time.perf_counter() - started) / max(1, len(self._rows))
        for row in self._rows.values():
            row.seconds += seconds
        for number, row, (text, reason) in ended:
            del self._rows[number]
            self._idle.append(number)
            yield self._completion(row, text, reason), row.task

    def _grow(
        self, row: _Row, records: tuple[TokenRecord, ...], finish: FinishReason | None
    ) -> tuple[str, FinishReason] | None:
        """Add a block's tokens, one by one so that blocks of any length end alike; text and reason once it is done."""
        for index, record in enumerate(records):
            last = finish if index == len(records) - 1 else None
            growth = row.growing.take([record], "stop" if record.token_id in self._pair.stop_token_ids else last)
            place = row.end.place(row.growing.text)
            if place is not None:
                return row.growing.text[:place], "stop"
            if growth.finish_reason is not None:
                return row.growing.text, growth.finish_reason
        return None

    def _completion(self, row: _Row, text: str, reason: FinishReason) -> Completion:
        return Completion(
            prompt_index=0,
            sample_index=row.sample,
            text=text,
            finish_reason=reason,
            records=tuple(row.growing.records),
            seconds=row.seconds,
        )

    def _leave(self) -> None:
        """Take the rows that ended out of the batch, before its next block."""
        for number in self._idle:
            self._run.cancel(number)
        self._idle.clear()
