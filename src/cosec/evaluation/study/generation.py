"""Where a study's completions come from: the engine here, or any OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cosec.decoding.settings import SamplingSettings
from cosec.errors import EndpointError
from cosec.evaluation.study.arms import DecodingArm
from cosec.evaluation.tasks.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.decoding.completer import Completion
    from cosec.decoding.pairing import PreparedPair
    from cosec.evaluation.study.read_prompts import ReadPrompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One completion of one task."""

    task: str

    sample: int

    text: str

    finish_reason: str

    tokens: int

    drafted: int = 0

    accepted: int = 0

    changed: int = 0

    decisions: int = 0

    marks: tuple[tuple[int, int], ...] = ()
    """Where the text differs from the target's most likely token: start and length, in characters."""

    seconds: float = 0.0
    """Its share of the wall time of the steps it took part in; the only field that two runs with one seed differ in."""


class Generator(Protocol):
    """Completes tasks."""

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """The samples of each task, in their order, as soon as they are complete; tasks are taken as there is room.

        ``sampling.stop`` is each task's own.
        """
        ...


class LocalGenerator:
    """One arm of a pair of models, decoded by the engine here."""

    def __init__(self, pair: PreparedPair, arm: DecodingArm, *, rows: int, read: ReadPrompts | None = None) -> None:
        self._pair, self._arm, self._rows, self._read = pair, arm, rows, read

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """See `Generator`."""
        from cosec.evaluation.study.full_batch import FullBatch

        batch = FullBatch(self._pair, self._arm, sampling, rows=self._rows, read=self._read)
        for task, completions in batch.complete(tasks, samples=samples):
            yield [self._sample(task, one) for one in completions]

    def _sample(self, task: Task, completion: Completion) -> Sample:
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
            marks=_marks(completion, self._pair.tokenizer),
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


class EndpointGenerator:
    """A served model: ``/v1/completions`` of an OpenAI-compatible endpoint.

    Args:
        url: Up to and including ``/v1``.
        model: As the endpoint names it; the first it lists where None.
        key: Sent as the bearer token.
    """

    def __init__(self, url: str, *, model: str | None = None, key: str = "none") -> None:
        try:
            from openai import OpenAI, OpenAIError
        except ImportError:
            raise EndpointError(
                "The openai package is not installed; `pip install openai` to use --endpoint."
            ) from None
        self._error = OpenAIError
        self._client = OpenAI(base_url=url, api_key=key, max_retries=3)
        self._url = url
        try:
            self._model = model or next(iter(self._client.models.list())).id
        except (OpenAIError, StopIteration) as error:
            raise EndpointError(f"{url} does not list its models ({error}); is the server running?") from error

    def complete(self, tasks: Iterable[Task], *, samples: int, sampling: SamplingSettings) -> Iterator[list[Sample]]:
        """See `Generator`.

        Raises:
            EndpointError: If the endpoint fails; what was recorded before is kept.
        """
        for task in tasks:
            started = time.perf_counter()
            try:
                answer = self._client.completions.create(
                    model=self._model,
                    prompt=task.prompt,
                    n=samples,
                    max_tokens=sampling.max_new_tokens,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    stop=list(task.stop[:4]),  # the most that the API takes; extraction cuts the rest
                    seed=sampling.seed,
                )
            except self._error as error:
                raise EndpointError(f"{self._url} failed on {task.id}: {error}; start again to continue.") from error
            seconds = round((time.perf_counter() - started) / len(answer.choices), 4)
            usage = answer.usage.completion_tokens if answer.usage else 0
            yield [
                Sample(
                    task=task.id,
                    sample=choice.index,
                    text=choice.text,
                    finish_reason=choice.finish_reason or "stop",
                    tokens=round(usage / len(answer.choices)),
                    seconds=seconds,
                )
                for choice in sorted(answer.choices, key=lambda one: one.index)
            ]
