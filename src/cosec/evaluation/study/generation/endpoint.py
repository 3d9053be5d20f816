"""Completions of a served model, through any OpenAI-compatible endpoint."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from cosec.decoding.settings import SamplingSettings
from cosec.errors import EndpointError
from cosec.evaluation.tasks.chat_prompts import chat_messages
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Task

MAX_STOPS = 4
"""Stop texts that the API takes; extraction cuts what the others would have."""

SEED_STEP = 2**20
"""Distance of the seeds that a server is given under neighbouring seeds of a study. Some servers give sample i of a
request the seed + i, so a step larger than any number of samples keeps the completions of two seeds apart.
"""


class EndpointGenerator:
    """Generates completions through ``/v1/completions`` of an OpenAI-compatible endpoint, or ``/v1/chat/completions``.

    Some servers ignore ``n`` and answer with one completion. The generator then asks again for the missing samples,
    each time with another seed.

    Args:
        url: Base URL, up to and including ``/v1``.
        model: Name of the model at the endpoint; the first that it lists if None.
        key: Sent as the bearer token.

    Raises:
        EndpointError: If the openai package is missing, or the endpoint does not list its models.
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
        """Complete each task; see `Generator`.

        Raises:
            EndpointError: If the endpoint fails or answers without a completion. What was recorded before is kept.
        """
        for task in tasks:
            found: list[Sample] = []
            while len(found) < samples:
                found += self._request(task, range(len(found), samples), sampling)
            yield found

    def _request(self, task: Task, missing: range, sampling: SamplingSettings) -> list[Sample]:
        """The samples that one request gives: one or more, and no more than are missing."""
        started = time.perf_counter()
        try:
            answer = self._asked(task, missing, sampling)
        except (self._error, ValueError) as error:  # ValueError: the body is not JSON
            raise EndpointError(f"{self._url} failed on {task.id}: {error}; start again to continue.") from error
        choices = getattr(answer, "choices", None)  # the client checks no types
        given: list[Any] = choices if isinstance(choices, list) else []
        texts = [_text(one) for one in given]
        if not texts or not all(isinstance(text, str) for text in texts):
            path = "/v1/chat/completions" if task.format == "chat" else "/v1/completions"
            raise EndpointError(
                f"{self._url} answered without a text for {task.id}; check that the model {self._model!r} serves"
                f" {path}, then start again to continue."
            )
        if all(isinstance(getattr(one, "index", None), int) for one in given):
            given.sort(key=lambda one: one.index)
        seconds = round((time.perf_counter() - started) / len(given), 4)
        counted = getattr(answer.usage, "completion_tokens", None)
        tokens = round(counted / len(given)) if isinstance(counted, int) else 0
        return [
            Sample(
                task=task.id,
                sample=index,
                text=_text(choice),
                finish_reason=getattr(choice, "finish_reason", None) or "stop",
                tokens=tokens,
                seconds=seconds,
            )
            for index, choice in zip(missing, given, strict=False)
        ]

    def _asked(self, task: Task, missing: range, sampling: SamplingSettings) -> Any:
        """The endpoint's answer to one request for samples of a task."""
        asked = {
            "model": self._model,
            "n": len(missing),
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": (SEED_STEP * sampling.seed + missing.start) % 2**31,
        }
        client: Any = self._client
        if task.format == "chat":
            return client.chat.completions.create(messages=chat_messages(task, cue=False), **asked)
        return client.completions.create(prompt=task.prompt, stop=list(task.stop[:MAX_STOPS]), **asked)


def _text(choice: Any) -> Any:
    """The text of a completion or of a chat's answer; the client checks no types."""
    message = getattr(choice, "message", None)
    text = getattr(choice, "text", None) if message is None else getattr(message, "content", None)
    # A server that cuts its text inside a character may send half of a surrogate pair, which no file can hold.
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
