"""Access: who may use the server, and the log of who did.

The names in ``__all__`` are public; their modules are imported when a name is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "audit_log": ("AuditLog",),
        "keys": ("KeyRing", "add_key", "read_keys"),
        "middleware": ("AccessMiddleware",),
        "network": ("check_bind", "check_proxies", "is_loopback", "listening_sockets"),
    },
)
