"""Serving: the hardened model behind the OpenAI API.

- `server`: the running server.
- `api`: request and response bodies, the endpoints, and the service that answers them.
- `access`: API keys, addresses, access control and the audit log.
- `scheduler`: the thread that decodes all requests in one batch.
- `settings`, `telemetry`, `verdicts`, `api_errors`: limits, metrics, judged completions, errors that clients get.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "api_errors": ("ApiError",),
        "server": ("Server", "build_service", "in_a_thread_that_ends"),
        "settings": ("ServerSettings",),
        "telemetry": ("Telemetry",),
        "verdicts": ("Judge",),
    },
)
