"""Completions of a served model, through any OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from cosec.decoding.settings import SamplingSettings
from cosec.errors import EndpointError
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task


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
