"""A real server over tiny models on a port of its own, for the official client."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import httpx2
import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.serving.access.audit_log import AuditLog
from cosec.serving.access.keys import KeyRing
from cosec.serving.api.service import Service
from cosec.serving.server import Server, build_service
from cosec.serving.settings import ServerSettings
from tests.decoding.pairs import shared_pair


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    service: Service
    server: Server

    def client(self, **options: object) -> httpx2.Client:
        # Without certificates, which take longer to read than most requests to answer.
        return httpx2.Client(base_url=self.url, timeout=60, verify=False, **options)


@contextmanager
def serving(
    pair: PreparedPair,
    *,
    limits: ServerSettings | None = None,
    rule: dict[str, object] | None = None,
    keys: KeyRing | None = None,
    audit_log: AuditLog | None = None,
    models: tuple[str, ...] = ("tiny",),
    checks_with: Sequence[str] | None = None,
    trusted_proxies: Sequence[str] = (),
    draft_length: int | Literal["auto"] = "auto",
) -> Iterator[Served]:
    service = build_service(
        pair,
        models,
        limits=limits,
        rule=rule,
        draft_length=draft_length,
        audit_log=audit_log,
        checks_with=checks_with,
    )
    server = Server(service, keys, "127.0.0.1", 0, trusted_proxies=trusted_proxies)
    service.scheduler.start()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", service, server)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        service.scheduler.stop()


@pytest.fixture(scope="session")
def tiny_pair(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return shared_pair(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def served(tiny_pair: PreparedPair) -> Iterator[Served]:
    with serving(tiny_pair) as running:
        yield running
