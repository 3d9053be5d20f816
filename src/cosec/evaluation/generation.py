"""Where a study's completions come from: the engine here, or any OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cosec.decoding.settings import SamplingSettings
from cosec.errors import EndpointError
from cosec.evaluation.arms import DecodingArm
from cosec.evaluation.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from cosec.decoding.completer import Completion
    from cosec.decoding.pairing import PreparedPair


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
    """Wall time from the start of its batch; the only field that two runs with one seed may differ in."""


class Generator(Protocol):
    """Completes tasks."""

    def complete(self, tasks: Sequence[Task], *, samples: int, sampling: SamplingSettings) -> list[Sample]:
        """All samples of all tasks, by task and then by sample; ``sampling.stop`` is each task's own."""
        ...


class LocalGenerator:
    """One arm of a pair of models, decoded by the engine here."""

    def __init__(self, pair: PreparedPair, arm: DecodingArm, *, rows: int) -> None:
        self._pair, self._arm, self._rows = pair, arm, rows

    def complete(self, tasks: Sequence[Task], *, samples: int, sampling: SamplingSettings) -> list[Sample]:
        """See `Generator`."""
        from cosec.decoding.completer import Completer

        found: list[Sample] = []
        for stop in dict.fromkeys(task.stop for task in tasks):
            alike = [task for task in tasks if task.stop == stop]
            settings = self._arm.settings(sampling.model_copy(update={"stop": stop}))
            completer = Completer(self._pair, settings, alone=self._arm.alone, rows=self._rows)
            for one in completer.complete([task.prompt for task in alike], n=samples):
                totals = one.totals
                found.append(
                    Sample(
                        task=alike[one.prompt_index].id,
                        sample=one.sample_index,
                        text=one.text,
                        finish_reason=one.finish_reason,
                        tokens=totals.tokens,
                        drafted=totals.drafted,
                        accepted=totals.accepted,
                        changed=totals.changed,
                        decisions=totals.decisions,
                        marks=_marks(one, self._pair.tokenizer),
                        seconds=round(one.seconds, 3),
                    )
                )
        order = {task.id: index for index, task in enumerate(tasks)}
        return sorted(found, key=lambda one: (order[one.task], one.sample))


def _marks(completion: Completion, tokenizer: PreTrainedTokenizerFast) -> tuple[tuple[int, int], ...]:
    from cosec.decoding.spans import spans_of

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

    def complete(self, tasks: Sequence[Task], *, samples: int, sampling: SamplingSettings) -> list[Sample]:
        """See `Generator`.

        Raises:
            EndpointError: If the endpoint fails; what was recorded before is kept.
        """
        found = []
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
            seconds = round(time.perf_counter() - started, 3)
            usage = answer.usage.completion_tokens if answer.usage else 0
            for choice in sorted(answer.choices, key=lambda one: one.index):
                found.append(
                    Sample(
                        task=task.id,
                        sample=choice.index,
                        text=choice.text,
                        finish_reason=choice.finish_reason or "stop",
                        tokens=round(usage / len(answer.choices)),
                        seconds=seconds,
                    )
                )
        return found
