from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading

import pytest

from cosec.decoding.pairing import PreparedPair
from cosec.errors import SettingsError
from cosec.serving.access.network import listening_sockets
from cosec.serving.server import Server, WithoutCancellations, build_service, in_a_thread_that_ends
from cosec.serving.settings import ServerSettings


def test_what_is_loaded_in_a_thread_of_its_own_is_returned_and_its_failure_raised() -> None:
    ran = in_a_thread_that_ends(threading.current_thread)
    assert ran is not threading.current_thread()
    assert not ran.is_alive()
    with pytest.raises(ZeroDivisionError):
        in_a_thread_that_ends(lambda: 1 / 0)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_workers_of_the_loading_thread_do_not_outlive_it() -> None:
    program = """
import os, time, torch
from cosec.serving.server import WithoutCancellations, in_a_thread_that_ends
torch.set_num_threads(4)
def compute(): return torch.randn(2_000_000).exp().sum()
def threads(): return len(os.listdir("/proc/self/task"))
before = threads()
in_a_thread_that_ends(compute)
for _ in range(100):
    if threads() == before: break
    time.sleep(0.1)  # they end a moment after it
apart = threads() - before
compute()
print(apart, threads() - before)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.split() == ["0", "3"], "workers that the ended thread left, and those of one that lives on"


def test_a_port_that_another_server_took_while_the_models_were_loaded_is_refused(tiny_pair: PreparedPair) -> None:
    ours = listening_sockets("127.0.0.1", 0)
    port = ours[0].getsockname()[1]
    (theirs,) = listening_sockets("127.0.0.1", port)
    with theirs:
        theirs.listen()
        server = Server(build_service(tiny_pair, ("tiny",), limits=ServerSettings()), None, "127.0.0.1", port)
        with pytest.raises(SettingsError, match=f"Port {port} of 127.0.0.1 is in use"):
            server.serve_until_stopped(lambda url: pytest.fail(f"serves {url}"), ours)
    for one in ours:
        one.close()


def test_a_second_signal_ends_running_requests_without_a_traceback() -> None:
    records = []
    for error in (asyncio.CancelledError("graceful shutdown"), ValueError("a bug")):
        record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "failed", (), (type(error), error, None))
        records.append(WithoutCancellations().filter(record))
    plain = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "failed", (), None)
    assert [*records, WithoutCancellations().filter(plain)] == [False, True, True]
