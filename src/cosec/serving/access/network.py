"""Which addresses a server may listen on, and which proxies it believes."""

from __future__ import annotations

import errno
import ipaddress
import socket
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


def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Bind sockets to an address, before anything slow is done.

    Args:
        host: An IP address or a name; a name may have several addresses.
        port: The port; 0 for a free one, the same for every address.

    Returns:
        The sockets. They do not listen yet.

    Raises:
        SettingsError: If the address or the port cannot be used; the message names the flag to change.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f"--host {host} is no address of this machine ({error.strerror or error}).") from error
    bound: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        if bound and not port:
            address = (address[0], bound[0].getsockname()[1], *address[2:])
        one = socket.socket(family, kind, protocol)
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
        except OSError as error:
            for open_one in (one, *bound):
                open_one.close()
            raise SettingsError(why_not_bound(host, port, error)) from error
        bound.append(one)
    return bound


def why_not_bound(host: str, port: int, error: OSError) -> str:
    """The message for an address that cannot be used, with the flag to change."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use, perhaps by another `cosec serve`: stop that program, or choose another "
            "port with --port (0 takes a free one)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not listen on port {port}: choose another one with --port, from 1024 on."
    return f"Cannot listen on --host {host}, --port {port}: {error.strerror or error}."
