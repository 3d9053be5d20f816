"""Serving: the hardened model behind the OpenAI API.

- `server`: the running server.
- `api`: request and response bodies, the endpoints, and the service that answers them.
- `access`: API keys, addresses, access control and the audit log.
- `scheduler`: the thread that decodes all requests in one batch.
- `settings`, `telemetry`, `verdicts`, `api_errors`: limits, metrics, judged completions, errors that clients get.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosec.serving.api_errors import ApiError
    from cosec.serving.server import Server, build_service, in_a_thread_that_ends
    from cosec.serving.settings import ServerSettings
    from cosec.serving.telemetry import Telemetry
    from cosec.serving.verdicts import Judge

__all__ = [
    "ApiError",
    "Judge",
    "Server",
    "ServerSettings",
    "Telemetry",
    "build_service",
    "in_a_thread_that_ends",
]

_MODULES = {
    "ApiError": "api_errors",
    "Judge": "verdicts",
    "Server": "server",
    "ServerSettings": "settings",
    "Telemetry": "telemetry",
    "build_service": "server",
    "in_a_thread_that_ends": "server",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
