"""Access: who may use the server, and the log of who did.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosec.serving.access.audit_log import AuditLog
    from cosec.serving.access.keys import KeyRing, add_key, read_keys
    from cosec.serving.access.middleware import AccessMiddleware
    from cosec.serving.access.network import check_bind, check_proxies, is_loopback, listening_sockets

__all__ = [
    "AccessMiddleware",
    "AuditLog",
    "KeyRing",
    "add_key",
    "check_bind",
    "check_proxies",
    "is_loopback",
    "listening_sockets",
    "read_keys",
]

_MODULES = {
    "AccessMiddleware": "middleware",
    "AuditLog": "audit_log",
    "KeyRing": "keys",
    "add_key": "keys",
    "check_bind": "network",
    "check_proxies": "network",
    "is_loopback": "network",
    "listening_sockets": "network",
    "read_keys": "keys",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
