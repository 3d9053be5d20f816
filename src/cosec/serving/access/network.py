"""Which addresses a server may listen on, and which proxies it believes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cosec.errors import SettingsError
from cosec.serving.access.keys import KeyRing


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reachable from this machine only.

    Args:
        host: An IP address, ``localhost``, or another name, which counts as reachable from elsewhere.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(host: str, keys: KeyRing | None) -> None:
    """Check that a server which other machines can reach asks for a key.

    Args:
        host: The address to listen on.
        keys: The server's keys; None if it needs no key.

    Raises:
        SettingsError: If ``host`` is not loopback and there are no keys.
    """
    if keys is None and not is_loopback(host):
        raise SettingsError(
            f"--host {host} is reachable from other machines, so the server needs --api-key-file; make one with "
            "`cosec serve-key NAME --file FILE`, or listen on 127.0.0.1."
        )


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
