"""Generators of completions for a study, and the one that decodes with the models in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from cosec.decoding.settings import SamplingSettings
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.decoding.completer import Completion
    from cosec.decoding.engine.lanes import Lanes
    from cosec.decoding.pairing import PreparedPair
    from cosec.decoding.prompt_cache import PromptCache


class Generator(Protocol):
    """Completes the tasks of a study."""

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """Complete tasks, in any order; yields all samples of a task, by index, as soon as they are complete.

        Args:
            tasks: Taken one by one, when there is room for another.
            samples: Completions of each task.
            sampling: Temperature, top-p, length and seed. Each task has its own stop texts.
        """
        ...


class LocalGenerator:
    """Generates with one arm of a pair of models, in this process."""

    def __init__(
        self, pair: PreparedPair, arm: DecodingArm, *, rows: int, cache: PromptCache[Lanes] | None = None
    ) -> None:
        self._pair, self._arm, self._rows, self._cache = pair, arm, rows, cache

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """Complete the tasks in a batch that stays full; see `Generator`."""
        from cosec.evaluation.study.generation.full_batch import FullBatch

        batch = FullBatch(self._pair, self._arm, sampling, rows=self._rows, cache=self._cache)
        for task, completions in batch.complete(tasks, samples=samples):
            yield [sample_of(task, one, self._pair.tokenizer) for one in completions]


def sample_of(task: Task, completion: Completion, tokenizer: PreTrainedTokenizerFast) -> Sample:
    """A completion of a task, as a study records it; the tokenizer is that of the completion's records."""
    totals = completion.totals
    return Sample(
        task=task.id,
        sample=completion.sample_index,
        text=completion.text,
        finish_reason=completion.finish_reason,
        tokens=totals.tokens,
        drafted=totals.drafted,
        accepted=totals.accepted,
        changed=totals.changed,
        decisions=totals.decisions,
        marks=_marks(completion, tokenizer),
        seconds=round(completion.seconds, 4),
    )


def _marks(completion: Completion, tokenizer: PreTrainedTokenizerFast) -> tuple[tuple[int, int], ...]:
    from cosec.decoding.completion.spans import spans_of

    marks, start = [], 0
    for span in spans_of(completion, tokenizer):
        if span.record.changed and span.text:
            marks.append((start, len(span.text)))
        start += len(span.text)
    return tuple(marks)
