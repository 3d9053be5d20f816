"""The field ``cosec`` of requests to vLLM's server: translated to vLLM's extra arguments, which the plugin reads.

vLLM ignores fields that it does not know. Without this, a client of our own server would believe that its settings
hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cosec.errors import SettingsError
from cosec.serving.asgi import Application, Message, Receive, Scope, Send
from cosec.vllm_plugin import REQUEST_PREFIX

MIDDLEWARE = "cosec.serving.vllm.cosec_field.CosecField"
"""Import path of the middleware, as vLLM's ``--middleware`` takes it."""

MIDDLEWARE_ALONE = "cosec.serving.vllm.cosec_field.NoCosecField"
"""The same for a target without a security model."""

_WITHOUT_ARGUMENTS = "/v1/messages"
"""Path of the requests for which vLLM has no extra arguments."""

_PATHS = (
    *("/v1/completions", "/v1/chat/completions", "/v1/chat/completions/batch", "/v1/responses", "/invocations"),
    _WITHOUT_ARGUMENTS,
)
_ARGUMENTS = "vllm_xargs"

_OFF = {f"{REQUEST_PREFIX}rule": "speculative"}
"""No hardening: the target itself, drafted, which has the same distribution as the target alone."""

_MAX_BODY_BYTES = 16 * 2**20
"""Larger bodies are refused before vLLM has checked the client's key."""


class CosecField:
    """ASGI middleware that moves the settings of ``cosec`` into ``vllm_xargs``; what vLLM cannot do gets 400.

    Args:
        app: The application behind it.
    """

    _hardens = True
    """Whether a request could change the rule."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def translated(self, body: bytes) -> bytes:
        """A request's body as vLLM is to read it.

        Raises:
            SettingsError: If the request asks for something that this server cannot do.
        """
        return translated(body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http" or scope["method"] != "POST" or _route(scope) not in _PATHS:
            await self._app(scope, receive, send)
            return
        try:
            body = self.translated(await _body(receive))
            if self._hardens and _route(scope) == _WITHOUT_ARGUMENTS:
                _refuse_arguments(body)
        except SettingsError as error:
            await _refuse(send, str(error))
            return
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return unread.pop() if unread else await receive()

        await self._app({**scope, "headers": headers}, again, send)


class NoCosecField(CosecField):
    """ASGI middleware in front of a target without a security model: whoever asks for hardening gets 400.

    Args:
        app: The application behind it.
    """

    _hardens = False

    def translated(self, body: bytes) -> bytes:
        """The body, unchanged unless it says that hardening is off.

        Raises:
            SettingsError: If the request asks for hardening.
        """
        request = _read(body)
        if request is None:
            return body
        fields = _fields(request)
        given = extra_arguments(fields)
        arguments = request.get(_ARGUMENTS)
        if isinstance(arguments, dict):
            given |= {name: value for name, value in arguments.items() if name.startswith(REQUEST_PREFIX)}
        if fields.get("enabled") or given not in ({}, _OFF):
            raise SettingsError("This server runs the target alone; it has no security model to harden with.")
        return json.dumps(request).encode()


def _route(scope: Scope) -> str:
    """The path that vLLM routes by: without the root path, below which a proxy may publish the server."""
    path, root = str(scope["path"]), scope.get("root_path", "")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def translated(body: bytes) -> bytes:
    """A request's body with the settings of ``cosec`` in ``vllm_xargs``; unchanged without that field.

    Raises:
        SettingsError: If the field asks for something that vLLM cannot do.
    """
    request = _read(body)
    if request is None or "cosec" not in request:
        return body
    ours = extra_arguments(_fields(request))
    given = request.get(_ARGUMENTS) or {}
    if not isinstance(given, dict):
        return body  # vLLM refuses it
    for name in sorted(ours.keys() & given.keys()):
        if ours[name] != given[name]:
            raise SettingsError(f"cosec and {_ARGUMENTS} disagree about {name}; give it once.")
    if ours:
        request[_ARGUMENTS] = {**given, **ours}
    return json.dumps(request).encode()


def _refuse_arguments(body: bytes) -> None:
    """Refuse a translated request whose settings vLLM would ignore.

    Raises:
        SettingsError: If it has any.
    """
    arguments = (_read(body) or {}).get(_ARGUMENTS)
    if isinstance(arguments, dict) and any(name.startswith(REQUEST_PREFIX) for name in arguments):
        raise SettingsError(
            f"vLLM takes no settings at {_WITHOUT_ARGUMENTS}, where the server's own rule applies: leave them out, or "
            "use /v1/chat/completions."
        )


def _read(body: bytes) -> dict[str, Any] | None:
    """The request in a body that may name our settings; None without them, or if vLLM will refuse the body."""
    if b'"cosec' not in body:
        return None
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return request if isinstance(request, dict) else None


def _fields(request: dict[str, Any]) -> dict[str, Any]:
    """The field ``cosec``, which is taken out of the request; empty if it is null or left out."""
    fields = request.pop("cosec", None)
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise SettingsError("cosec must be an object with settings.")
    return fields


def extra_arguments(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of ``cosec`` under the names that the plugin reads; the plugin itself checks names and values.

    Raises:
        SettingsError: If a setting is about what only our own server does, or has no effect.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if given.pop("audit", "none") != "none":
        raise SettingsError("cosec.audit: with vLLM an answer has no audit; leave it out. GET /metrics has totals.")
    if given.pop("code_end", "none") != "none":
        raise SettingsError("cosec.code_end: with vLLM completions end at stop texts only; use stop.")
    enabled = given.pop("enabled", True)
    if not isinstance(enabled, bool):
        raise SettingsError(f"cosec.enabled must be true or false, not {enabled!r}.")
    if enabled:
        return {REQUEST_PREFIX + name: value for name, value in given.items()}
    if given:
        name = next(iter(given))
        raise SettingsError(f"cosec: {name} has no effect while hardening is off; leave it out or enable it.")
    return dict(_OFF)


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _MAX_BODY_BYTES:
            raise SettingsError(f"The body has more than {_MAX_BODY_BYTES // 2**20} MiB.")
        if not message.get("more_body", False):
            return bytes(body)


async def _refuse(send: Send, message: str) -> None:
    """Answer 400 in the format of the OpenAI API."""
    error = {"message": message, "type": "invalid_request_error", "param": "cosec", "code": 400}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
