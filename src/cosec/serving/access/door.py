"""The door: who comes in. Host names, API keys and security headers, before any endpoint sees a request.

Without keys the server trusts whoever reaches it, so it then listens on loopback only and answers only to loopback's
names: a web page that points a name of its own at 127.0.0.1 is turned away.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from cosec.errors import SettingsError
from cosec.serving.access.keys import KeyRing
from cosec.serving.api.refusals import Refusal, invalid

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_CLOSED = "the handler is closed"
_HEARS_OF_IT_SECONDS = 0.5
_OPEN_PATHS = ("/health", "/playground")
_CONTENT_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"  # noqa: E501


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_proxies(proxies: Sequence[str]) -> None:
    """Check the addresses of trusted proxies.

    Args:
        proxies: IP addresses and networks, such as ``10.0.0.5`` or ``10.0.0.0/8``.

    Raises:
        SettingsError: If one is neither.
    """
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            raise SettingsError(
                f"--trusted-proxy {proxy[:80]!r} is no IP address or network, such as 10.0.0.5 or 10.0.0.0/8 ({error})."
            ) from error


def check_bind(host: str, keys: KeyRing | None) -> None:
    """Refuse to be open to the network without a key.

    Raises:
        SettingsError: If ``host`` is not loopback and there are no keys.
    """
    if keys is None and not is_loopback(host):
        raise SettingsError(
            f"--host {host} is reachable from other machines, so the server needs --api-key-file; make one with "
            "`cosec serve-key NAME --file FILE`, or listen on 127.0.0.1."
        )


async def until_gone(receive: Receive) -> None:
    """Wait until the client of this connection leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Door:
    """ASGI middleware that lets requests in or answers them itself."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], keys: KeyRing | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Content-Security-Policy"] = _CONTENT_POLICY
                headers["Referrer-Policy"] = "no-referrer"
            try:
                await send(message)
            except RuntimeError as error:
                # uvloop says so where the client left and uvicorn has not said so to this request: it does so in a
                # moment, but never where the client had sent a further request behind it.
                if not str(error).endswith(_CLOSED):
                    raise
                with suppress(TimeoutError):
                    await asyncio.wait_for(until_gone(receive), _HEARS_OF_IT_SECONDS)

        refusal = self._refusal(scope)
        if refusal is not None:
            answer = JSONResponse(refusal.body(), refusal.status, refusal.headers)
            await answer(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Why this request stays out, or None; notes whose request it is in ``scope["state"]["client"]``."""
        headers = Headers(scope=scope)
        peer = scope.get("client")
        scope.setdefault("state", {})["client"] = peer[0] if peer else "unknown"
        if self._keys is None:
            name = headers.get("host", "").lower()
            name = name[: name.index("]") + 1] if "]" in name else name.partition(":")[0]
            if name not in _LOOPBACK_NAMES:
                return invalid(
                    f"This server has no API key and answers to localhost only, not to {name[:80]!r}.",
                    None,
                    "wrong_host",
                )
            return None
        if scope["path"] in _OPEN_PATHS or scope["path"].startswith("/playground/") or scope["method"] == "OPTIONS":
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        owner = self._keys.owner(key.strip()) if scheme.lower() == "bearer" and key else None
        if owner is None:
            return Refusal(
                401,
                "This server needs an API key: send it with the header Authorization: Bearer KEY.",
                None,
                "invalid_api_key",
                "authentication_error",
                {"WWW-Authenticate": "Bearer"},
            )
        scope["state"]["client"] = owner
        return None
