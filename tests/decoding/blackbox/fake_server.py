"""A target server for tests: it continues text by a function, speaks the OpenAI API, and fails where it is told to.

It is an application of its own behind a real socket, so that the client's connections, time-outs and parsing are real.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

Continue = Callable[[str], str]
"""Gives the whole rest of a text; the text ends after it."""

FAULTS = ("drop", "drop in an event", "429", "500", "truncated", "invalid utf-8", "early end", "error event", "slow")
"""What can go wrong with an answer; the place is random."""


@dataclass
class FakeServer:
    """A server with a text for every prompt."""

    rest: Continue
    """The model."""

    fault_rate: float = 0.0
    """Share of the requests that get a random fault."""

    faults: tuple[str, ...] = FAULTS
    """Which faults."""

    streams: bool = True
    """Whether it streams."""

    continues: bool = True
    """Whether it continues the assistant's last message."""

    scores: str = "right"
    """Its log-probabilities of a prompt: ``right``, ``shifted`` by a token, ``none``, in the form of ``chats``, or
    ``failing`` with status 500.
    """

    key: str | None = None
    """The key that it asks for."""

    end: str = "stop"
    """Its word for an end of the text that is no limit."""

    chunk: int = 3
    """Characters of an event."""

    pause: float = 0.0
    """Seconds before each event."""

    seed: int = 0
    """Of the faults."""

    refuses: tuple[str, ...] = ()
    """Fields that it answers with 400."""

    listing_faults: list[int] = field(default_factory=list)
    """Statuses of the next answers to a question for its models, before they are listed."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of all requests."""
    heads: list[str] = field(default_factory=list)
    """First lines and headers of all requests."""
    injected: dict[str, int] = field(default_factory=dict)
    """How often each fault occurred."""
    connections: int = 0
    cancelled: int = 0
    """Answers that the client did not read to the end."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.cancelled += 1
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False if the connection ends."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return False
        self.heads.append(head)
        length = next((int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0)
        if self.key is not None and f"authorization: bearer {self.key}\r\n" not in head.lower():
            await reader.readexactly(length)
            _send(writer, 401, b'{"error": "no key"}')
            return True
        if head.startswith("GET"):
            if self.listing_faults:
                _send(writer, self.listing_faults.pop(0), b'{"error": "loading"}', "Retry-After: 0\r\n")
                return True
            _send(writer, 200, json.dumps({"data": [{"id": "fake"}]}).encode())
            return True
        body = json.loads(await reader.readexactly(length))
        self.bodies.append(body)
        if any(name in body for name in self.refuses):
            _send(writer, 400, b'{"error": "unknown field"}')
            return True
        fault = self._random.choice(self.faults) if self._random.random() < self.fault_rate else None
        if fault is not None:
            self.injected[fault] = self.injected.get(fault, 0) + 1
        if fault in ("400", "404", "429", "500"):
            _send(writer, int(fault), b'{"error": "busy"}', "Retry-After: 0\r\n")
            return True
        return await self._answer(body, fault, writer)

    async def _answer(self, body: dict[str, Any], fault: str | None, writer: asyncio.StreamWriter) -> bool:
        chat = "messages" in body
        text = _as_text(body["messages"], continues=self.continues) if chat else body["prompt"]
        rest = self.rest(text)
        limited = rest[: body.get("max_tokens")]  # a token is a character
        finish = self.end if limited == rest else "length"
        if body.get("echo") and self.scores == "failing":
            _send(writer, 500, b'{"error": "Only no echo is supported"}')
            return True
        if body.get("echo"):
            _send(writer, 200, json.dumps({"choices": [{"logprobs": self._scored(text + limited)}]}).encode())
            return True
        if not (self.streams and body.get("stream")):
            choice = {"message": {"content": limited}} if chat else {"text": limited}
            found = {"choices": [{**choice, "finish_reason": finish}], "usage": {"prompt_tokens": len(text)}}
            _send(writer, 200, json.dumps(found).encode())
            return True
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        pieces = [limited[start : start + self.chunk] for start in range(0, len(limited), self.chunk)]
        place = self._random.randrange(len(pieces) + 1) if fault else -1
        for index, piece in enumerate([*pieces, ""]):
            event = _event(piece, finish if index == len(pieces) else None, chat=chat)
            await asyncio.sleep(self.pause)
            if index == place and fault == "slow":
                await asyncio.sleep(0.005)
            elif index == place:
                return _fail(writer, str(fault), event)
            _chunk(writer, _with_log_probs(event, piece) if body.get("logprobs") and self.scores == "right" else event)
            await writer.drain()
        _chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _scored(self, text: str) -> dict[str, Any] | None:
        """Log-probabilities of a text: its own next character has -1, all others have -5."""
        if self.scores == "none":
            return None
        if self.scores == "chats":
            return {"content": [{"token": one, "logprob": -1.0} for one in text]}
        own = [self.rest(text[:place])[:1] for place in range(len(text))]
        log_probs = [None, *(-1.0 if own[place] == text[place] else -5.0 for place in range(1, len(text)))]
        if self.scores == "shifted":
            log_probs = [None, None, *log_probs[1:-1]]
        return {
            "tokens": list(text),
            "token_logprobs": log_probs,
            "top_logprobs": [None, *({own[place]: -1.0} for place in range(1, len(text)))],
            "text_offset": list(range(len(text))),
        }


def _fail(writer: asyncio.StreamWriter, fault: str, event: bytes) -> bool:
    broken = {
        "drop in an event": event[: len(event) // 2],
        "truncated": event[: len(event) // 2] + b"\n\n",
        "invalid utf-8": event.replace(b'"text": "', b'"text": "\xff\xfe').replace(
            b'"content": "', b'"content": "\xff'
        ),
        "early end": b"data: [DONE]\n\n",
        "error event": b'data: {"error": {"message": "out of memory"}}\n\n',
    }
    if fault in broken:
        _chunk(writer, broken[fault])
    if fault not in ("drop", "drop in an event"):
        writer.write(b"0\r\n\r\n")
        return True
    return False


def _event(text: str, finish: str | None, *, chat: bool) -> bytes:
    choice: dict[str, Any] = {"delta": {"content": text}} if chat else {"text": text}
    found = {"choices": [{"index": 0, **choice, "finish_reason": finish}]}
    return f"data: {json.dumps(found, ensure_ascii=False)}\n\n".encode()


def _with_log_probs(event: bytes, piece: str) -> bytes:
    """The event with log-probabilities: each character is a token, and has a hundredth of its code, below 0."""
    found = json.loads(event[6:])
    values = [-ord(one) / 100 for one in piece]
    chat = "delta" in found["choices"][0]
    content = [{"token": one, "logprob": value} for one, value in zip(piece, values, strict=True)]
    known = {"content": content} if chat else {"tokens": list(piece), "token_logprobs": values}
    found["choices"][0]["logprobs"] = known
    return f"data: {json.dumps(found, ensure_ascii=False)}\n\n".encode()


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, headers: str = "") -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode() + body)


def _as_text(messages: list[dict[str, str]], *, continues: bool) -> str:
    """A conversation as the fake model reads it."""
    turns = [f"<{one['role']}>{one['content']}" for one in messages]
    return "".join(turns) + ("" if continues and messages[-1]["role"] == "assistant" else "<assistant>")


@contextmanager
def running(server: FakeServer) -> Iterator[FakeServer]:
    """The server on a port of its own, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(server.connected, "127.0.0.1", 0)

    async def stop() -> None:
        listening.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    listening = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
