"""Put load on an OpenAI-compatible server: many streams at once, their speed, and whether each got its own answer.

It needs nothing but the server's address. The figures include HTTP and this client.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from cosec.errors import EndpointError

_PATIENCE = 600.0
"""Seconds that a server may send nothing."""


@dataclass(slots=True)
class StreamResult:
    """The result of one stream."""

    text: str = ""
    tokens: int = 0
    """Number of completion tokens, as the server's ``usage`` says."""

    first_seconds: float | None = None
    """Seconds from sending the request to the first chunk with text; None if there was none."""

    gaps: list[float] = field(default_factory=list)
    """Seconds between chunks with text."""

    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """The result of all streams together."""

    streams: int
    """Streams at the same time."""

    requests: int
    """Streams in total."""

    failed: int
    """Streams that ended with an error."""

    mixed_up: int | None
    """Answers that differ from the answer to the same request sent alone; None if that was not checked."""

    tokens: int
    seconds: float
    tokens_per_second: float
    first_token_median: float | None
    first_token_p95: float | None
    gap_median: float | None
    gap_p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server under load."""

    url: str
    """Address of the server, with or without ``/v1``."""

    api_key: str | None = None
    model: str | None = None

    def stream(self, body: dict[str, Any]) -> StreamResult:
        """Send one completion request as a stream and read it to its end.

        Args:
            body: Fields of the request.

        Returns:
            What came; a failure is in its ``error``.
        """
        result = StreamResult()
        try:
            self._read(body, result)
        except OSError as error:
            result.error = error.strerror or f"{type(error).__name__}: {error}"
        except (http.client.HTTPException, ValueError) as error:
            result.error = f"{type(error).__name__}: {error}"
        except (LookupError, TypeError, AttributeError):
            result.error = "an event of its stream has another form than those of OpenAI's API"
        return result

    def _read(self, body: dict[str, Any], result: StreamResult) -> None:
        place = urlsplit(self.url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        connection = kind(place.hostname or "", place.port, timeout=_PATIENCE)
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        if self.model:
            asked["model"] = self.model
        started = time.perf_counter()
        try:
            path = place.path.rstrip("/").removesuffix("/v1")
            connection.request("POST", f"{path}/v1/completions", json.dumps(asked), headers)
            answer = connection.getresponse()
            if answer.status != 200:
                result.error = f"HTTP {answer.status}: {answer.read(300).decode(errors='replace')}"
                return
            if not _take_events(answer, result, started):
                result.error = result.error or "the stream ended without [DONE]"
        finally:
            connection.close()


def _take_events(answer: http.client.HTTPResponse, result: StreamResult, started: float) -> bool:
    """Read a stream into ``result``; returns whether it ended with ``[DONE]``."""
    last, done = started, False
    for data in _events(answer):
        if data == "[DONE]":
            done = True
            continue
        chunk = json.loads(data)
        if "error" in chunk:
            result.error = str(chunk["error"])
            return False
        if chunk.get("usage"):
            result.tokens = chunk["usage"]["completion_tokens"]
        text = "".join(choice.get("text") or "" for choice in chunk.get("choices", []))
        if text:
            now = time.perf_counter()
            if result.first_seconds is None:
                result.first_seconds = now - started
            else:
                result.gaps.append(now - last)
            last, result.text = now, result.text + text
    return done


def _events(answer: http.client.HTTPResponse) -> Iterator[str]:
    while line := answer.readline():
        if line.startswith(b"data:"):
            yield line[5:].strip().decode()


def measure_load(
    target: Target,
    prompts: Sequence[str],
    *,
    streams: int,
    requests: int,
    max_tokens: int,
    temperature: float = 0.4,
    cosec: dict[str, Any] | None = None,
    seeded: bool = True,
    check: bool = False,
) -> LoadResult:
    """Keep ``streams`` requests running until ``requests`` are done.

    Args:
        target: The server.
        prompts: Prompts, used in turn.
        streams: Requests at the same time.
        requests: Requests in total.
        max_tokens: Length limit of each completion.
        temperature: Sampling temperature; top-p is 0.95.
        cosec: The request's ``cosec`` field, for servers that know it.
        seeded: Whether request i has seed i.
        check: Whether to send every request again, alone, and to compare the texts.

    Returns:
        The summary of all streams.

    Raises:
        EndpointError: If no request succeeds.
    """
    bodies: list[dict[str, Any]] = [
        {
            "prompt": prompts[index % len(prompts)],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "top_p": 0.95,
            **({"seed": index} if seeded else {}),
            **({} if cosec is None else {"cosec": cosec}),
        }
        for index in range(requests)
    ]
    started = time.perf_counter()
    results = _at_once(target, bodies, streams)
    elapsed = time.perf_counter() - started
    failed = [result for result in results if result.error is not None]
    if len(failed) == len(results):
        said = str(failed[0].error).rstrip(".")
        refused = said.startswith("HTTP 4") and not said.startswith("HTTP 404")
        remedy = "Change what it refuses" if refused else "See whether the server runs there, and what its log says"
        raise EndpointError(f"No request to {target.url} succeeded; the first said: {said}. {remedy}.")
    mixed_up = None
    if check:
        alone = [target.stream(body) for body in bodies]
        mixed_up = sum(
            one.text != other.text for one, other in zip(results, alone, strict=True) if not (one.error or other.error)
        )
    return _summary(results, streams, elapsed, mixed_up)


def _at_once(target: Target, bodies: Sequence[dict[str, Any]], streams: int) -> list[StreamResult]:
    """Send all requests, ``streams`` of them at a time; returns results in the order of ``bodies``."""
    results = [StreamResult() for _ in bodies]
    todo, lock = iter(range(len(bodies))), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                index = next(todo, None)
            if index is None:
                return
            results[index] = target.stream(bodies[index])

    threads = [threading.Thread(target=work, daemon=True) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _summary(results: Sequence[StreamResult], streams: int, elapsed: float, mixed_up: int | None) -> LoadResult:
    gaps = [gap for result in results for gap in result.gaps]
    firsts = [result.first_seconds for result in results if result.first_seconds is not None]
    tokens = sum(result.tokens for result in results)
    return LoadResult(
        streams=streams,
        requests=len(results),
        failed=sum(result.error is not None for result in results),
        mixed_up=mixed_up,
        tokens=tokens,
        seconds=elapsed,
        tokens_per_second=tokens / elapsed,
        first_token_median=median(firsts) if firsts else None,
        first_token_p95=percentile(firsts, 0.95),
        gap_median=median(gaps) if gaps else None,
        gap_p95=percentile(gaps, 0.95),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of the values do not exceed; None if there are no values."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else None
