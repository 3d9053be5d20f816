"""A server that runs as a child process: it is announced when it answers, gets signals, and its exit status is kept."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from cosec.errors import EndpointError
from cosec.serving.vllm.process import run_until_ended

SERVER = """
import signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
received = []
def stop(number, frame):
    open(sys.argv[2], "a").write(f"{number} ")
    sys.exit(7)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, stop)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def run(program: str, arguments: Sequence[str] = (), *, port: int = 9, on_ready: object = None) -> int:
    announce = on_ready if callable(on_ready) else lambda: pytest.fail("it never answered")
    return run_until_ended(
        [sys.executable, "-c", program, *arguments], os.environ, f"http://127.0.0.1:{port}/health", announce
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_server_once_and_its_exit_status_is_returned(number: int, tmp_path: Path) -> None:
    port, received = free_port(), tmp_path / "received"
    before = signal.getsignal(number)
    ready: list[str] = []

    def on_ready() -> None:
        ready.append("once")
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

    assert run(SERVER, [str(port), str(received)], port=port, on_ready=on_ready) == 7
    assert ready == ["once"]
    assert received.read_text() == f"{int(number)} "
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("pass", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
    ],
)
def test_a_server_that_ends_before_it_answers_is_not_announced(program: str, status: int) -> None:
    assert run(program) == status


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(EndpointError, match="no-python cannot be started"):
        run_until_ended([str(tmp_path / "no-python")], os.environ, "http://127.0.0.1:9", lambda: None)


def test_a_failing_announcement_ends_the_server(tmp_path: Path) -> None:
    port, received = free_port(), tmp_path / "received"

    def on_ready() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(SERVER, [str(port), str(received)], port=port, on_ready=on_ready)
    assert received.read_text() == f"{int(signal.SIGTERM)} "
