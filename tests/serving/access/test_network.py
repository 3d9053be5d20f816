"""Addresses to listen on, and proxies to believe."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.serving.access.keys import add_key, read_keys
from cosec.serving.access.network import check_bind, check_proxies, listening_sockets


def test_no_address_is_open_to_the_network_without_a_key(tmp_path: Path) -> None:
    add_key(tmp_path / "keys", "anna")
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        check_bind(host, None)
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org", ""):
        with pytest.raises(SettingsError, match="--api-key-file"):
            check_bind(host, None)
        check_bind(host, read_keys(tmp_path / "keys"))


def test_a_proxy_is_an_address_or_a_network() -> None:
    check_proxies(["127.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"])
    for wrong in ("*", "", "proxy.example.org", "10.0.0.1/8", "300.1.1.1"):
        with pytest.raises(SettingsError, match="--trusted-proxy"):
            check_proxies([wrong])


def test_every_address_of_a_name_gets_the_same_free_port() -> None:
    bound = listening_sockets("localhost", 0)
    try:
        assert {one.getsockname()[1] for one in bound} == {bound[0].getsockname()[1]}
        assert "127.0.0.1" in {one.getsockname()[0] for one in bound}
    finally:
        for one in bound:
            one.close()


def test_an_address_that_cannot_be_used_is_refused_with_the_flag_to_change() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match=r"is in use.*--port"),
    ):
        listening_sockets("127.0.0.1", other.getsockname()[1])
    with pytest.raises(SettingsError, match="--host"):
        listening_sockets("192.0.2.1", 0)
