"""One arm of a study, decoded in a batch that stays full: as completions end, the next tasks take their places."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cosec.decoding.batch import Batch, CompletionRequest, Progress, batch_setup
from cosec.decoding.completer import Completion
from cosec.decoding.completion import AnswerWatcher, CodeWatcher, FinishReason, Watcher
from cosec.decoding.engine.lanes import Lanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import PromptCache
from cosec.decoding.refill import Refill, leaving_together
from cosec.decoding.settings import SamplingSettings
from cosec.errors import PromptError, SettingsError
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.tasks.chat_prompts import chat_ids, chat_messages, prompt_text
from cosec.evaluation.tasks.tasks import Task


@dataclass(slots=True, eq=False)
class _Started:
    """A task under way, with the samples that are complete so far."""

    task: Task
    samples: int
    done: list[Completion] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Row:
    """One completion under way."""

    started: _Started
    sample: int
    seconds: float = 0.0

    def completion(self, progress: Progress, reason: FinishReason) -> Completion:
        return Completion(
            prompt_index=0,
            sample_index=self.sample,
            text=progress.completion.text,
            finish_reason=reason,
            records=tuple(progress.completion.records),
            seconds=self.seconds,
        )


class FullBatch:
    """Completes the tasks of one arm.

    Args:
        pair: The models.
        arm: Which of them decode, and under which rule.
        sampling: Temperature, top-p, lengths and seed; stop texts come from each task.
        rows: Number of sequences decoded at once.
        cache: Prompts of this pair that have been read, for this arm or another; None for none.

    Raises:
        SettingsError: If the pair lacks a model that the arm needs.
    """

    def __init__(
        self,
        pair: PreparedPair,
        arm: DecodingArm,
        sampling: SamplingSettings,
        *,
        rows: int,
        cache: PromptCache[Lanes] | None = None,
    ) -> None:
        setup = batch_setup(pair, arm.settings(sampling), arm.alone)
        self._batch = Batch(setup, cache=cache, leave_together=leaving_together(rows))
        self._pair, self._arm, self._sampling, self._capacity = pair, arm, sampling, rows
        self._rows: dict[int, _Row] = {}

    def complete(self, tasks: Iterable[Task], *, samples: int) -> Iterator[tuple[Task, list[Completion]]]:
        """Complete tasks; tasks are taken from the iterable when there is room for them.

        Args:
            tasks: The tasks.
            samples: Number of samples of each task.

        Yields:
            Every task with all its samples, as soon as they are complete. The seconds of a sample are its share of the
            steps it took part in.

        Raises:
            PromptError: If a prompt is longer than the models' context.
            SettingsError: If a task is a chat, and the target has no chat template.
        """
        waiting = ((_Started(task, samples), self._request(task, samples)) for task in tasks)
        refill = Refill(self._batch, waiting, rows=self._capacity, samples=samples)
        while not refill.done:
            self._fill(refill)
            for started in self._step():
                yield started.task, sorted(started.done, key=lambda done: done.sample_index)

    def _request(self, task: Task, samples: int) -> CompletionRequest:
        prompt_ids = self._prompt_ids(task)
        refuse_prompt_without_room(task, len(prompt_ids), self._pair.context_length)
        return CompletionRequest(
            prompt_ids=prompt_ids,
            samples=tuple(range(samples)),
            max_new_tokens=min(self._pair.context_length - len(prompt_ids), self._sampling.max_new_tokens),
            stop=task.stop,
            watcher=lambda: task_watcher(task),
        )

    def _prompt_ids(self, task: Task) -> tuple[int, ...]:
        tokenizer = self._pair.tokenizer
        if task.format == "completion":
            return tuple(tokenizer(prompt_text(task, cue=self._arm.cue)).input_ids)
        if not tokenizer.chat_template:
            raise SettingsError(f"The target has no chat template, so it cannot be asked {task.id} in a chat.")
        return chat_ids(chat_messages(task, cue=self._arm.cue), tokenizer)

    def _fill(self, refill: Refill[_Started]) -> None:
        """Let tasks join, and share the time this took among their samples."""
        begun = time.perf_counter()
        joined = {
            number: _Row(started, sample) for started, numbers in refill.fill() for sample, number in enumerate(numbers)
        }
        self._rows.update(joined)
        self._share(time.perf_counter() - begun, list(joined.values()))

    def _step(self) -> list[_Started]:
        """Decode a block, and share its time among the samples under way; the tasks that are now complete."""
        begun = time.perf_counter()
        progress = self._batch.step()
        self._share(time.perf_counter() - begun, list(self._rows.values()))
        found = []
        for one in progress:
            if one.finish_reason is not None:
                row = self._rows.pop(one.sequence)
                row.started.done.append(row.completion(one, one.finish_reason))
                if len(row.started.done) == row.started.samples:
                    found.append(row.started)
        return found

    @staticmethod
    def _share(seconds: float, rows: Sequence[_Row]) -> None:
        for row in rows:
            row.seconds += seconds / len(rows)


def refuse_prompt_without_room(task: Task, tokens: int, context_length: int) -> None:
    """Check that a prompt can be completed.

    Args:
        task: Whose prompt it is.
        tokens: Length of the prompt.
        context_length: Tokens that the models can read.

    Raises:
        PromptError: If the prompt is empty, or no token can follow it.
    """
    if not 0 < tokens < context_length:
        raise PromptError(
            f"The prompt of {task.id} has {tokens} tokens, but the models' context holds {context_length}: shorten it "
            "so that at least one token can follow."
        )


def task_watcher(task: Task) -> Watcher:
    """What ends a completion of a task where extraction would cut it anyway."""
    if task.format == "chat":
        return AnswerWatcher(task.language)
    return CodeWatcher(task.prompt, task.language, function=True)
