"""Read the answers of a target server: whole, or as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2

from cosec.decoding.blackbox.targets.echoed_scores import streamed_tokens
from cosec.decoding.blackbox.targets.text_target import Proposal, TargetFailure
from cosec.decoding.blackbox.targets.token_spans import TokensOfText
from cosec.errors import EndpointError
from cosec.files import is_unicode

_LONGEST_EVENT = 2**20
"""Most bytes of one event of a stream."""

_ENDS = ("stop", "eos", "eos_token", "stop_sequence")
"""Names that servers have for the end that the model gives its text; the first one is the API's."""


async def proposals(response: httpx2.Response, *, chat: bool, most: int | None = None) -> AsyncIterator[Proposal]:
    """Yield the text of a stream.

    Args:
        response: The stream.
        chat: Whether it continues a conversation.
        most: Number of tokens at which the text is cut, if the server was told no limit: it sends about one with each
            event.

    Raises:
        TargetFailure: If the stream has an error, or another form.
        EndpointError: If the end of the text cannot be continued.
    """
    tokens, written = TokensOfText(), 0
    async for event in _events(response):
        found = _proposal(parsed(event), tokens, chat=chat)
        if found is None:
            continue
        written += max(found.text != "", len(found.tokens))
        if most is not None and written >= most and found.finish_reason is None:
            yield replace(found, finish_reason="length")
            return
        yield found


async def _events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The data of each server-sent event, up to the one that says that there are no more."""
    waiting, done = b"", False
    async for part in response.aiter_bytes():
        if done:
            continue
        *lines, waiting = (waiting + part).split(b"\n")
        if len(waiting) > _LONGEST_EVENT:
            raise TargetFailure("an event of its stream is too long")
        for line in lines:
            if line.startswith(b"data:"):
                data = line[5:].strip()
                done = done or data == b"[DONE]"
                if not done:
                    yield data


def parsed(data: bytes) -> Any:
    """The JSON value of an answer or an event.

    Raises:
        TargetFailure: If it is none.
    """
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise TargetFailure("it sent something that is no JSON in UTF-8") from error


def whole_answer(body: bytes, *, chat: bool) -> Proposal:
    """The answer of a server that does not stream.

    Args:
        body: The answer.
        chat: Whether it continues a conversation.

    Raises:
        TargetFailure: If it has no completion.
        EndpointError: If its end cannot be continued.
    """
    found = _proposal(parsed(body), TokensOfText(), chat=chat)
    if found is None or found.finish_reason is None:
        raise TargetFailure("its answer has no completion")
    return found


def _proposal(event: Any, tokens: TokensOfText, *, chat: bool) -> Proposal | None:
    """The text of an event; None for an event without a choice, such as the token counts."""
    if not isinstance(event, dict) or event.get("error"):
        said = event.get("error") if isinstance(event, dict) else event
        raise TargetFailure(f"it sent an error: {str(said)[:400]}")
    choices = event.get("choices")
    if not choices:
        return None
    try:
        choice = choices[0]
        held = (choice.get("delta") or choice.get("message") or {}) if chat else choice
        text, finish = held.get("content" if chat else "text"), choice.get("finish_reason")
    except (LookupError, TypeError, AttributeError) as error:
        raise TargetFailure("it sent a choice of another form") from error
    if finish in _ENDS:
        finish = "stop"
    if finish not in (None, "stop", "length"):
        raise EndpointError(f"The target ended its text with {finish!r}, which cannot be continued.")
    if not isinstance(text, str | None) or not is_unicode(text or ""):
        raise TargetFailure("it sent no text")
    return Proposal(text or "", finish, tokens.add(text or "", streamed_tokens(choice.get("logprobs"))))
