"""Access control before any endpoint: host names, API keys and security headers.

A server without keys trusts everyone who can reach it. It therefore listens on loopback only, and answers only requests
for a host name of loopback: a web page cannot reach it by pointing a name of its own at 127.0.0.1.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from cosec.serving.access.keys import KeyRing
from cosec.serving.access.network import is_loopback
from cosec.serving.api_errors import ApiError, invalid
from cosec.serving.asgi import Application, Message, Receive, Scope, Send, until_disconnected

_CLOSED = "the handler is closed"
"""End of uvloop's error for a write to a closed connection."""
_DISCONNECT_SECONDS = 0.5
_PUBLIC_PATHS = ("/", "/health", "/v1/health", "/playground")
_CONTENT_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # noqa: E501


class AccessMiddleware:
    """ASGI middleware that passes a request on or answers it with an error.

    It stores the client's identity in ``scope["state"]["client"]``: the owner of the API key, else the address.
    """

    def __init__(self, app: Application, keys: KeyRing | None) -> None:
        """Wrap an application.

        Args:
            app: The application to protect.
            keys: The keys that may use it; None if it needs no key.
        """
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Content-Security-Policy"] = _CONTENT_POLICY
                headers["Referrer-Policy"] = "no-referrer"
            try:
                await send(message)
            except RuntimeError as error:
                # uvloop raises this if the client has disconnected. uvicorn reports the disconnect to this request
                # shortly afterwards, except if the client had already sent another request on the connection.
                if not str(error).endswith(_CLOSED):
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(until_disconnected(receive), _DISCONNECT_SECONDS)

        error = self._error(scope)
        if error is not None:
            answer = JSONResponse(error.body(), error.status, error.headers)
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _error(self, scope: Scope) -> ApiError | None:
        """The error to answer with, or None; stores the client's identity."""
        headers = Headers(scope=scope)
        peer = scope.get("client")
        scope.setdefault("state", {})["client"] = peer[0] if peer else "unknown"
        if self._keys is None:
            return _host_error(headers.get("host", "").lower())
        if scope["path"] in _PUBLIC_PATHS or scope["path"].startswith("/playground/") or scope["method"] == "OPTIONS":
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        owner = self._keys.owner(key.strip()) if scheme.lower() == "bearer" and key else None
        if owner is None:
            return ApiError(
                401,
                "This server needs an API key: send it with the header Authorization: Bearer KEY.",
                None,
                "invalid_api_key",
                "authentication_error",
                {"WWW-Authenticate": "Bearer"},
            )
        scope["state"]["client"] = owner
        return None


def _host_error(host: str) -> ApiError | None:
    name = host[: host.index("]") + 1] if "]" in host else host.partition(":")[0]
    if is_loopback(name):
        return None
    return invalid(
        f"This server has no API key and answers to this machine only, not to {name[:80]!r}. Ask it under the "
        "address that it listens on, or start it with --api-key-file.",
        None,
        "wrong_host",
    )
