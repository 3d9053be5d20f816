"""A target behind the OpenAI API: ``/v1/completions``, and ``/v1/chat/completions`` for conversations.

A conversation is continued by a last message of the assistant, with ``continue_final_message`` and without
``add_generation_prompt``: vLLM, llama.cpp's ``llama-server`` and ``cosec serve`` continue it. A server that does not
would start the answer again, which is found out before the first such request. Every request is streamed, so that the
target can be stopped where a decision changes its text.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from cosec.decoding.blackbox.targets.echoed_scores import echoed_scores, echoed_tokens
from cosec.decoding.blackbox.targets.server_answers import parsed, proposals, whole_answer
from cosec.decoding.blackbox.targets.text_target import Ask, Proposal, TargetFailure, TokenScore
from cosec.errors import EndpointError, SettingsError

_PROBE = "def add(first, second):\n    return first"
"""A text that is scored to see how a server scores."""

_TOLERANCE = 0.1
"""Largest difference of two log-probabilities of one token, in nats; batches round differently."""

_LARGEST_GROWTH = 2
"""Most tokens by which a message of one letter makes a prompt longer if it is continued, and not closed."""

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""HTTP statuses after which another try may succeed."""


_URL_REMEDY = "write http://HOST:PORT/v1, with a port from 1 to 65535."
"""What to do about a URL that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a target server is, and how to ask it.

    Raises:
        SettingsError: If the URL has no host, or is malformed.
    """

    url: str
    """Base URL, up to and including ``/v1``."""

    model: str | None = None
    """Name of the model there; None for the first one that the server lists."""

    key: str | None = None
    """Sent as the bearer token; None for none."""

    seconds: float = 120.0
    """Most seconds without a byte from the server, the wait for the first token included."""

    def __post_init__(self) -> None:
        try:
            url = httpx2.URL(self.url)
        except httpx2.InvalidURL as error:
            raise SettingsError(f"{self.url!r} is no URL of a server ({error}); {_URL_REMEDY}") from error
        if not url.host or (url.port is not None and not 0 < url.port < 2**16):
            raise SettingsError(f"{self.url!r} is no URL of a server; {_URL_REMEDY}")


def read_key(path: Path) -> str:
    """Read the key of a target server from the first line of a file.

    Raises:
        SettingsError: If the file cannot be read or has no key.
    """
    try:
        key = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read the key of the target from {str(path)!r}; name a text file.") from error
    if not key or not key.isascii() or not key.isprintable():
        raise SettingsError(f"The first line of {str(path)!r} is no key; write the target's API key there.")
    return key


class OpenAiServer:
    """A model at an OpenAI-compatible server. Used from one event loop.

    Args:
        address: Where it is.
    """

    def __init__(self, address: ServerAddress) -> None:
        self._address = address
        self._model = address.model
        self._continues: bool | None = None
        self._scores_texts: bool | None = None
        self._divided: dict[str, list[str]] = {}
        headers = {"Accept-Encoding": "identity"}
        if address.key is not None:
            headers["Authorization"] = f"Bearer {address.key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(address.seconds, connect=10.0, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def model(self) -> str:
        """Name of the model; asks the server for it if none was given.

        Raises:
            TargetFailure: If the server fails.
            EndpointError: If it refuses, or lists no model.
        """
        if self._model is None:
            try:
                answer = await self._client.get(self._url("models"))
                if answer.status_code in _RETRIED:
                    raise self._refusal(answer)
                if answer.status_code in (401, 403):
                    asks = "refuses the key" if self._address.key else "asks for a key"
                    told = f"{self._address.url} {asks} (HTTP {answer.status_code})"
                    raise EndpointError(f"{told}; give one that it accepts with --target-key-file FILE.")
                self._model = str(answer.raise_for_status().json()["data"][0]["id"])
            except httpx2.TimeoutException as error:
                raise _failure(error) from error
            except (httpx2.HTTPError, ValueError, LookupError, TypeError) as error:
                raise EndpointError(
                    f"{self._address.url} does not list its models ({error}); see whether the server runs and the URL "
                    "ends with /v1, or name the model with --target-model."
                ) from error
        return self._model

    async def continues_messages(self) -> bool:
        """Whether the server continues the assistant's last message; asks it the first time.

        A message of one letter makes the prompt longer by that letter. A server that begins a new message also closes
        it and opens the next one.

        Raises:
            TargetFailure: If the server fails.
            EndpointError: If it refuses conversations, or does not count the tokens of prompts.
        """
        if self._continues is None:
            question: list[dict[str, object]] = [{"role": "user", "content": "Count."}]
            letter = {"role": "assistant", "content": "a"}
            before = await self._prompt_tokens({"messages": question})
            after = await self._prompt_tokens({"messages": [*question, letter], **_CONTINUED})
            self._continues = after - before <= _LARGEST_GROWTH
        return self._continues

    async def scores_texts(self) -> bool:
        """Whether the server gives the right log-probabilities of a prompt; asks it the first time.

        Some servers give those of another place. What the server writes at temperature 0 must therefore be its most
        likely token, and have the same log-probability when it is a part of the prompt.

        Raises:
            TargetFailure: If the server fails.
        """
        if self._scores_texts is None:
            try:
                written = echoed_scores(await self._echo(_PROBE, 1), len(_PROBE))
                score = written[0]
                again = echoed_scores(await self._echo(_PROBE + score.text, 1), len(_PROBE))[0]
                apart = score.best - score.log_prob, abs(again.log_prob - score.log_prob)
                self._scores_texts = again.text == score.text and max(apart) < _TOLERANCE
            except (EndpointError, LookupError):
                self._scores_texts = False
        return self._scores_texts

    async def scores(self, ask: Ask, text: str) -> list[TokenScore]:
        """Score a text; see :class:`~cosec.decoding.blackbox.targets.text_target.TextTarget`."""
        if ask.prompt.messages is not None or ask.prompt.suffix is not None:
            raise EndpointError("A server can score plain text only; for chats and infill, use gate with a floor of 0.")
        before, whole = ask.prompt.text + ask.written, ask.prompt.text + ask.written + text
        try:
            found = echoed_scores(await self._echo(whole, 1), len(before), len(whole))
        except LookupError as error:
            raise TargetFailure(f"it did not score a text: {error}") from error
        if not found:
            raise TargetFailure("it did not score a text")
        return found

    async def divided(self, text: str) -> list[str]:
        """The server's tokens of a text; asked once. See `TextTarget`."""
        if text not in self._divided:
            try:
                self._divided[text] = echoed_tokens(await self._echo(text, 1), len(text))
            except LookupError as error:
                raise EndpointError(f"The target at {self._address.url} does not tell its tokens ({error}).") from error
        return self._divided[text]

    async def _echo(self, prompt: str, tokens: int) -> Any:
        """A prompt and a continuation of so many tokens, with log-probabilities."""
        asked = {"model": await self.model(), "prompt": prompt, "max_tokens": tokens, "temperature": 0.0}
        echoed = {**asked, "echo": True, "logprobs": 1}
        answer = await self._completion(echoed)
        if answer.status_code == 500 and not self._scores_texts:
            # llama.cpp's server answers so to what it does not do, and any server to a passing failure.
            answer = await self._completion(echoed)
            if answer.status_code == 500 and (await self._completion(asked)).status_code == 200:
                raise EndpointError(f"The target at {self._address.url} does not give log-probabilities of a prompt.")
        if answer.status_code != 200:
            raise self._refusal(answer)
        return parsed(answer.content)

    async def _completion(self, asked: dict[str, Any]) -> httpx2.Response:
        try:
            return await self._client.post(self._url("completions"), json=asked)
        except httpx2.HTTPError as error:
            raise _failure(error) from error

    async def _prompt_tokens(self, asked: dict[str, Any]) -> int:
        body = {**asked, "model": await self.model(), "max_tokens": 1, "temperature": 0.0}
        try:
            answer = await self._client.post(self._url("chat/completions"), json=body)
        except httpx2.HTTPError as error:
            raise _failure(error) from error
        if answer.status_code != 200:
            raise self._refusal(answer)
        try:
            return int(parsed(answer.content)["usage"]["prompt_tokens"])
        except (LookupError, TypeError, ValueError) as error:
            raise EndpointError(
                f"The target at {self._address.url} does not count the tokens of a prompt (usage.prompt_tokens), so "
                "that it is not known whether it continues an answer; use /v1/completions."
            ) from error

    async def propose(self, ask: Ask) -> AsyncIterator[Proposal]:
        """Continue a text; see :class:`~cosec.decoding.blackbox.targets.text_target.TextTarget`."""
        chat = ask.prompt.messages is not None
        if chat and (ask.prompt.continues or ask.written) and not await self.continues_messages():
            raise EndpointError(
                f"The target at {self._address.url} begins a new answer instead of continuing the assistant's last "
                "message, which hardening a chat needs; use /v1/completions, or a server that continues it."
            )
        body = {**_body(ask), "model": await self.model()}
        url = self._url("chat/completions" if chat else "completions")
        last: Proposal | None = None
        most = ask.max_tokens if ask.prompt.open_ended else None
        try:
            async with self._client.stream("POST", url, json=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise self._refusal(response, own=False)
                if response.headers.get("content-type", "").startswith("application/json"):
                    yield whole_answer(await response.aread(), chat=chat)
                    return
                async for proposal in proposals(response, chat=chat, most=most):
                    if last is not None:
                        continue
                    if proposal.finish_reason is None:
                        yield proposal
                    else:
                        last = proposal  # the stream is read to its end, so that its connection can be used again
        except httpx2.HTTPError as error:
            if last is None:
                raise _failure(error) from error
        if last is None:
            raise TargetFailure("its stream ended before its text")
        yield last

    def _url(self, path: str) -> str:
        return f"{self._address.url.rstrip('/')}/{path}"

    def _refusal(self, response: httpx2.Response, *, own: bool = True) -> Exception:
        """What an answer with an error means: a failure to be tried again, or a refusal.

        Args:
            response: The answer.
            own: Whether the question was this program's own. If not, its status tells what the client did wrong.
        """
        said = response.content[:400].decode(errors="replace").strip()
        message = f"HTTP {response.status_code}: {said}"
        if response.status_code in _RETRIED:
            return TargetFailure(message, _retry_after(response.headers.get("retry-after")))
        status = None if own else response.status_code
        return EndpointError(f"The target at {self._address.url} refuses the request, {message}", status)


_CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
"""Fields by which the last message of a conversation is continued."""


def _failure(error: httpx2.HTTPError) -> TargetFailure:
    name = type(error).__name__
    return TargetFailure(f"{name}: {error}" if str(error) else name)


def _body(ask: Ask) -> dict[str, Any]:
    """The request in the fields of the API; those of other servers only where they change something."""
    sampling, prompt = ask.sampling, ask.prompt
    body: dict[str, Any] = {
        **({} if prompt.open_ended else {"max_tokens": ask.max_tokens}),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": ask.seed,
        "stream": True,
    }
    if sampling.top_k:
        body["top_k"] = sampling.top_k
    if sampling.min_p:
        body["min_p"] = sampling.min_p
    if ask.log_probs:
        body["logprobs"] = 1 if prompt.messages is None else True
    if prompt.messages is None:
        body["prompt"] = prompt.text + ask.written
        if prompt.suffix is not None:
            body["suffix"] = prompt.suffix
        return body
    messages = [dict(message) for message in prompt.messages]
    if prompt.continues:
        messages[-1]["content"] = f"{messages[-1]['content']}{ask.written}"
    elif ask.written:
        messages.append({"role": "assistant", "content": ask.written})
    if prompt.continues or ask.written:
        body |= _CONTINUED
    elif prompt.begins_anew:
        body |= {"continue_final_message": False, "add_generation_prompt": True}
    return {**body, "messages": messages}


def _retry_after(header: str | None) -> float | None:
    """Seconds that a ``Retry-After`` header asks to wait; None if it says nothing."""
    if header is None:
        return None
    try:
        return (
            max(0.0, float(header))
            if header.strip().isdecimal()
            else max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        )
    except ValueError:
        return None
