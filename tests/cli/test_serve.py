"""``cosec serve``: what it refuses before models are loaded, and which sandbox gives verdicts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cosec.cli.main import main
from cosec.sandbox import SANDBOX_VARIABLE
from cosec.sandbox.backends import Bubblewrap
from cosec.serving.access.keys import add_key
from tests.decoding.pairs import shared_pair


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Collects the servers that would be started, of tiny models."""
    services: list[Any] = []

    class Server:
        def __init__(self, service: Any, keys: Any, host: str, port: int, *, trusted_proxies: Any) -> None:
            services.append(SimpleNamespace(service=service, keys=keys, port=port, trusted=tuple(trusted_proxies)))

        def serve_until_stopped(self, announce: Callable[[str], None], sockets: list[socket.socket]) -> None:
            announce("http://127.0.0.1:1")
            for one in sockets:
                one.close()

    monkeypatch.setenv(SANDBOX_VARIABLE, "")
    monkeypatch.setattr("cosec.serving.server.Server", Server)
    monkeypatch.setattr("cosec.serving.access.network.listening_sockets", lambda *_: [])
    monkeypatch.setattr("cosec.load_pair", lambda *_, **__: shared_pair(tmp_path))
    return services


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bubblewrap, "problem", lambda self: "bubblewrap is not installed")


def test_without_bubblewrap_there_are_no_verdicts_and_the_remedy_is_named(
    started: list[Any], no_bubblewrap: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve"]) == 0
    assert started[0].service.judge is None
    said = capsys.readouterr().err
    assert "no verdicts in the playground" in said
    assert "--sandbox limits" in said


def test_limits_alone_give_verdicts_where_they_were_asked_for(
    started: list[Any], no_bubblewrap: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--sandbox", "limits"]) == 0
    assert started[0].service.judge is not None
    assert "limits" in capsys.readouterr().err


def test_a_sandbox_that_was_asked_for_and_is_missing_stops_the_start(
    started: list[Any], no_bubblewrap: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--sandbox", "bubblewrap"]) == 2
    assert started == []
    assert "bubblewrap is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "70000"], "--port"),
        (["--draft-length", "65"], "--draft-length"),
        (["--host", "0.0.0.0"], "--api-key-file"),
        (["--trusted-proxy", "proxy.example.org"], "--trusted-proxy"),
        (["--audit-log-text"], "no effect without --audit-log"),
        (["--audit-log-megabytes", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_served_is_refused_before_models_are_loaded(
    started: list[Any], flags: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosec.load_pair", lambda *_, **__: pytest.fail("models were loaded"))
    assert main(["serve", *flags]) == 2
    assert said in capsys.readouterr().err
    assert started == []


def test_a_port_in_use_is_named_with_the_flag_before_models_are_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SANDBOX_VARIABLE, "limits")
    monkeypatch.setattr("cosec.load_pair", lambda *_, **__: pytest.fail("models were loaded"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["serve", "--port", port]) == 2
    said = capsys.readouterr().err
    assert f"Port {port} of 127.0.0.1 is in use" in said
    assert "--port (0 takes a free one)" in said


def test_flags_reach_the_server(started: list[Any], no_bubblewrap: None, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys", "anna")
    access = ["--api-key-file", str(tmp_path / "keys"), "--trusted-proxy", "10.0.0.0/8", "--port", "8123"]
    log = ["--audit-log", str(tmp_path / "log"), "--audit-log-text", "--audit-log-megabytes", "2"]
    rule = ["--rule", "gate", "--strength", "0.2"]
    assert main(["serve", *access, *log, *rule, "--max-rows", "3", "--model-name", "m"]) == 0
    (server,) = started
    service = server.service
    assert server.keys.owner(key) == "anna"
    assert (server.trusted, server.port) == (("10.0.0.0/8",), 8123)
    assert (service.limits.max_rows, service.models) == (3, ("m",))
    assert service.translator.defaults["strength"] == 0.2
    assert service.audit_log.with_text
    assert service.audit_log._max_bytes == 2 * 2**20
    service.audit_log.close()
