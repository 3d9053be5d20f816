"""Requests that no good client sends: odd values in known fields, and broken bytes on the connection itself."""

from __future__ import annotations

import http.client
import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cosec.serving.api.foreign_fields import FOREIGN_FIELDS
from cosec.serving.api.llama_cpp.wire import (
    DetokenizeRequest,
    InfillRequest,
    LlamaCppCompletionRequest,
    TokenizeRequest,
)
from cosec.serving.api.wire import ChatRequest, CompletionRequest, CosecFields

ENDPOINTS = {
    "/v1/completions": CompletionRequest,
    "/v1/chat/completions": ChatRequest,
    "/infill": InfillRequest,
    "/completion": LlamaCppCompletionRequest,
    "/tokenize": TokenizeRequest,
    "/detokenize": DetokenizeRequest,
}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), "", " ", "a",
    "0.3", "\x00", "\u202e", "\ud800", "é" * 300, "x" * 3000, [], [[]], [1, "a"], [[1], ["a"]], [-1], [10**9], {},
    {"a": 1},
    {"role": "user"}, [{"role": "user", "content": "hi"}], [{"role": "robot", "content": 1}], "gate", "steer", "tokens",
]  # fmt: skip
BODY_SECONDS = 2.0
"""What the server under test is told to wait for a body."""

LARGE = 10_000_000

Ending = Literal["answer", "half-close", "leave", "reset"]
Outcome = str
"""An HTTP status; ``closed``: the server ended the connection without one; ``left``: this side did; ``hang``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request as bytes on a connection."""

    parts: tuple[bytes | float, ...]
    """Sent one after the other; a number is a pause in seconds."""

    ending: Ending = "answer"
    """What this side does once all is sent: read the answer (after ending its own half), or go away."""

    read_first: int = 0
    """Bytes of the answer to read before going away."""

    @property
    def method(self) -> str:
        """What the request's first word says; an answer to HEAD has no body."""
        first = self.parts[0] if self.parts else b""
        return first.partition(b" ")[0].decode("latin-1") if isinstance(first, bytes) else ""


def odd_body(chance: random.Random, endpoint: str) -> bytes:
    """A body with a few fields of the endpoint's, their values at random."""
    body: dict[str, Any] = {"prompt": "def", "max_tokens": 2} if "chat" not in endpoint else {"messages": ODD[-5]}
    names = [*ENDPOINTS[endpoint].model_fields, "unheard_of", chance.choice(list(FOREIGN_FIELDS))]
    for name in chance.sample(names, chance.randrange(0, 4)):
        body[name] = chance.choice(ODD)
    if chance.random() < 0.4:
        known = [*CosecFields.model_fields, "cwes", "x"]
        body["cosec"] = {name: chance.choice(ODD) for name in chance.sample(known, chance.randrange(0, 4))}
    if chance.random() < 0.2:
        body["n"] = chance.choice([1, 2, 3, 200])
    text = json.dumps(body).encode()
    if chance.random() < 0.1:
        place = chance.randrange(len(text))
        text = text[:place] + bytes([chance.randrange(256)]) + text[place + chance.randrange(3) :]
    if chance.random() < 0.02:
        text = b'{"prompt":' + b"[" * 20_000
    return text


def http_bytes(
    path: str, body: bytes, *, method: str = "POST", headers: str = "Content-Type: application/json\r\n"
) -> bytes:
    """A request with its length."""
    return head_bytes(path, f"Content-Length: {len(body)}\r\n{headers}", method=method) + body


def head_bytes(path: str, headers: str, *, method: str = "POST") -> bytes:
    """A request's head."""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode("latin-1")


def send(address: tuple[str, int], attempt: Attempt, seconds: float) -> Outcome:
    """Send one attempt and say how it ended; every single wait is at most ``seconds``."""
    with socket.create_connection(address, timeout=seconds) as connection:
        try:
            for part in attempt.parts:
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    time.sleep(part)
        except TimeoutError:
            return "hang"
        except ConnectionError:
            pass  # refused before all was sent: the answer may be there already
        if attempt.ending in ("leave", "reset"):
            return _leave(connection, attempt)
        try:
            if attempt.ending == "half-close":
                connection.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(connection, method=attempt.method)
            answer.begin()
            answer.read()
        except TimeoutError:
            return "hang"
        except (OSError, http.client.HTTPException):
            return "closed"
        return str(answer.status)


def _leave(connection: socket.socket, attempt: Attempt) -> Outcome:
    left = attempt.read_first
    try:
        while left > 0 and (data := connection.recv(min(left, 65536))):
            left -= len(data)
        if attempt.ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except TimeoutError:
        return "hang"
    except OSError:
        return "closed"
    return "left"


def completion(**fields: Any) -> bytes:
    """A small completion request with ``fields`` on top."""
    return http_bytes("/v1/completions", json.dumps({"prompt": "def f(x):", "max_tokens": 2, **fields}).encode())


def _raw(fields: bytes) -> bytes:
    return http_bytes("/v1/completions", b'{"prompt": "def f(x):", "max_tokens": 2, ' + fields + b"}")


def _pieces(data: bytes, count: int, pause: float) -> Iterator[bytes | float]:
    size = -(-len(data) // count)
    for start in range(0, len(data), size):
        yield data[start : start + size]
        yield pause


def _not_a_number(chance: random.Random) -> Attempt:
    field = chance.choice([b'"temperature"', b'"top_p"', b'"seed"', b'"presence_penalty"', b'"cosec": {"threshold"'])
    value = chance.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 5000, b"1e-400000"])
    return Attempt(parts=(_raw(field + b": " + value + (b"}" if b"{" in field else b"")),))


def _deep(chance: random.Random) -> Attempt:
    depth = chance.choice([100, 1000, 100_000, 1_000_000])
    opening, closing = chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    field = chance.choice([b'"prompt": ', b'"cosec": ', b'"vllm_xargs": ', b'"unknown": '])
    depth = min(depth, 1_900_000 // len(opening + closing))
    return Attempt(parts=(_raw(field + opening * depth + b"1" + (closing * depth if chance.random() < 0.5 else b"")),))


def _invalid_text(chance: random.Random) -> Attempt:
    broken = chance.choice(
        [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\\ud800", b"\\u0000", b"\xf8\x88", b"\x1f\x8b"]
    )
    field = chance.choice([b"prompt", b"suffix", b"stop", b"user", b"model"])
    return Attempt(parts=(_raw(b'"' + field + b'": "def' + broken + b'"'),))


def _large(chance: random.Random) -> Attempt:
    fill = chance.choice([b"a", b"a ", b"\\n", b"[", "é".encode()])
    body = b'{"prompt": "' + fill * (LARGE // len(fill)) + b'"}'
    if chance.random() < 0.5:
        return Attempt(parts=(http_bytes("/v1/completions", body),))
    chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    pieces = [body[start : start + 65536] for start in range(0, len(body), 65536)]
    chunks = b"".join(f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in pieces) + b"0\r\n\r\n"
    return Attempt(parts=(head_bytes("/v1/completions", chunked), chunks))


def _just_allowed(chance: random.Random) -> Attempt:
    """As large as a body may be: everything in it is read, and still too much."""
    fill = chance.choice(["a", "a ", "\n", "é", "def f():\n"])
    prompt = fill * (1_900_000 // len(json.dumps(fill)))
    fields: dict[str, Any] = chance.choice(
        [{"prompt": prompt}, {"stop": ["x" * 300 + str(index) for index in range(6000)]}, {"prompt": [7] * 600_000},
         {"prompt": ["a"] * 300_000}, {"metadata": {str(index): "x" for index in range(100_000)}}]
    )  # fmt: skip
    return Attempt(parts=(completion(**fields),))


def _content_type(chance: random.Random) -> Attempt:
    kinds = [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "é",
        ";",
        "*/*",
    ]
    kind = chance.choice(kinds)
    header = f"Content-Type: {kind}\r\n" if kind else ""
    return Attempt(parts=(http_bytes("/v1/completions", b'{"prompt": "def", "max_tokens": 2}', headers=header),))


def _path_or_method(chance: random.Random) -> Attempt:
    path = chance.choice(
        ["/", "/v1", "/v1/completions/", "/v2/completions", "/v1/models/" + "x" * 6000, "/v1/models/%00",
         "/v1/models/a/b", "/playground/../../etc/passwd", "/playground/%2e%2e/%2e%2e/app.py", "/playground/%00",
         "/playground/" + "y" * 5000, "/playground", "/%ff%fe", "//health", "/health?a=%zz", "*", "/docs", "/metrics",
         "/infill", "/v1/completions"]
    )  # fmt: skip
    method = chance.choice(["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST", "BREW", "get"])
    return Attempt(parts=(http_bytes(path, b"", method=method),))


def _protocol(chance: random.Random) -> Attempt:
    """Heads that are no good HTTP, or that contradict themselves."""
    body, kind = b'{"prompt": "def", "max_tokens": 2}', "Content-Type: application/json\r\n"
    length, chunked = f"Content-Length: {len(body)}\r\n", "Transfer-Encoding: chunked\r\n"
    heads: list[bytes] = [
        head_bytes("/v1/completions", kind + length + "Content-Length: 1\r\n"),
        head_bytes("/v1/completions", kind + length + chunked),
        head_bytes("/v1/completions", kind + "Content-Length: -1\r\n"),
        head_bytes("/v1/completions", kind + "Content-Length: 99999999999999999999\r\n"),
        head_bytes("/v1/completions", kind + "Content-Length: 1e3\r\n"),
        head_bytes("/v1/completions", kind + chunked) + b"zz\r\n",
        head_bytes("/v1/completions", kind + chunked) + b"fffffffffffffffff\r\n",
        head_bytes("/v1/completions", kind + length + "Content-Encoding: gzip\r\n"),
        head_bytes("/v1/completions", kind + length + "Expect: 100-continue\r\n"),
        head_bytes("/v1/completions", kind + length + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
        head_bytes("/v1/completions", kind + length + "X: " + "y" * 200_000 + "\r\n"),
        head_bytes("/v1/completions", kind + length + "X: y\r\n" * 2000),
        head_bytes("/v1/completions", kind + length + "Authorization: Bearer \xff\xfe\r\n"),
        b"POST /v1/completions HTTP/1.0\r\n" + (kind + length).encode() + b"\r\n",
        b"POST /v1/completions HTTP/1.1\r\n" + (kind + length).encode() + b"\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: evil.example\r\n" + (kind + length).encode() + b"\r\n",
        b"POST /v1/completions HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"hello\n\n",
    ]  # fmt: skip
    return Attempt(parts=(chance.choice(heads) + body,), ending="half-close" if chance.random() < 0.5 else "answer")


def _slow_body(chance: random.Random) -> Attempt:
    whole = completion()
    end_of_head = whole.index(b"\r\n\r\n") + 4
    return Attempt(parts=(whole[:end_of_head], *_pieces(whole[end_of_head:], chance.choice([5, 12, 25]), 0.02)))


def _slow_head(chance: random.Random) -> Attempt:
    return Attempt(parts=tuple(_pieces(completion(), chance.choice([10, 25, 50]), 0.02)))


def _unfinished_body(chance: random.Random) -> Attempt:
    whole = completion()
    return Attempt(parts=(whole[: -chance.randrange(1, 20)],))


def _half_closed(chance: random.Random) -> Attempt:
    whole = completion(stream=chance.random() < 0.5)
    return Attempt(parts=(whole[: chance.choice([len(whole), len(whole) - 3, 90, 20, 0])],), ending="half-close")


def _left(chance: random.Random) -> Attempt:
    """Goes away while its body is being read, its prompt waits, or its answer streams."""
    stream = chance.random() < 0.6
    whole = completion(stream=stream, max_tokens=8, n=chance.choice([1, 4]))
    cut = chance.choice([len(whole), len(whole), len(whole) - 10])
    read = chance.choice([0, 1, 200, 600]) if stream and cut == len(whole) else 0
    pause = () if read else (chance.choice([0.0, 0.01, 0.05, 0.2]),)
    return Attempt(parts=(whole[:cut], *pause), ending=chance.choice(["leave", "reset"]), read_first=read)


def _two_at_once(chance: random.Random) -> Attempt:
    return Attempt(parts=(completion().replace(b"Connection: close\r\n", b"") * 2, completion()))


def _values(**choices: list[Any]) -> Callable[[random.Random], Attempt]:
    """Attempts that set the named fields to one of these values each."""
    return lambda chance: Attempt(
        parts=(completion(**{name: chance.choice(values) for name, values in choices.items()}),)
    )


UNKNOWN = [{"x": 1}, {"Threshold": 0.3}, {"": 1}, {"rule": "none"}, {"\x00": 0}, [], 7]
REFUSED = frozenset({"400"})
ANSWERED = frozenset({"200", "400", "404", "405", "413", "415"})
KINDS: dict[str, tuple[int, Callable[[random.Random], Attempt], frozenset[Outcome]]] = {
    "huge n": (3, _values(n=[129, 10**4, 10**9, 2**63, 10**40, -1, 0, 1.5]), REFUSED),
    "impossible max_tokens": (3, _values(max_tokens=[-1, -(2**63), 10**9, 10**30, 9, "5", 2.5, [], True]), REFUSED),
    "not a number": (3, _not_a_number, ANSWERED),
    "deep JSON": (3, _deep, REFUSED),
    "invalid text": (3, _invalid_text, ANSWERED),
    "10 MB body": (1, _large, frozenset({"413"})),
    "2 MB body": (1, _just_allowed, REFUSED | {"200"}),
    "content type": (2, _content_type, frozenset({"415"})),
    "path or method": (3, _path_or_method, ANSWERED | {"307"}),
    "protocol": (3, _protocol, ANSWERED | {"408", "431", "505", "closed"}),
    "unknown cosec field": (2, _values(cosec=UNKNOWN), REFUSED),
    "cwes": (2, _values(cosec=[{"cwes": ["CWE-89"]}, {"cwes": []}, {"cwes": None, "rule": "gate"}]), REFUSED),
    "slow body": (1, _slow_body, frozenset({"200"})),
    "slow head": (1, _slow_head, frozenset({"200"})),
    "body that never ends": (1, _unfinished_body, frozenset({"408"})),
    "half-closed": (2, _half_closed, frozenset({"200", "400", "closed"})),
    "client leaves": (3, _left, frozenset({"left", "closed"})),
    "pipelined": (1, _two_at_once, frozenset({"200"})),
}  # fmt: skip
"""Each kind's share, how one of it is made, and how it may end."""


def odd_fields(chance: random.Random) -> Attempt:
    """A body of ``odd_body`` for any of the endpoints."""
    endpoint = chance.choice(list(ENDPOINTS))
    return Attempt(parts=(http_bytes(endpoint, odd_body(chance, endpoint)),))
