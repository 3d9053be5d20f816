"""Run a server as a child process: wait until it answers, pass signals on, and return its exit status."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from cosec.errors import EndpointError

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_POLL_SECONDS = 0.25


def run_until_ended(
    command: Sequence[str], environment: Mapping[str, str], health_url: str, on_ready: Callable[[], None]
) -> int:
    """Run a server and return its exit status when it has ended.

    SIGINT, SIGTERM and SIGHUP are passed on, so the server ends as it does when it is started directly. It runs in a
    session of its own: a terminal's Ctrl-C reaches it once, from here.

    Args:
        command: The program with its arguments.
        environment: Its environment variables.
        health_url: Answers 200 from the moment that the server is ready.
        on_ready: Called once, when it is.

    Returns:
        The server's exit status; 128 + the signal's number if a signal ended it.

    Raises:
        EndpointError: If the program cannot be started.
    """
    with _passing_signals_on() as started:
        try:
            process = subprocess.Popen(command, env=dict(environment), start_new_session=True)
        except OSError as error:
            raise EndpointError(f"{command[0]} cannot be started: {error.strerror or error}.") from error
        started(process)
        try:
            while process.poll() is None and not answers(health_url):
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
            if process.poll() is None:
                on_ready()
            process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def answers(url: str) -> bool:
    """Whether a server answers 200 at a URL; the certificate of one on this machine is not checked."""
    import httpx2

    try:
        return httpx2.get(url, timeout=5.0, verify=False, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


@contextmanager
def _passing_signals_on() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """Pass signals on to a child process within the block, those included that arrive before it has started.

    Yields:
        What the child process is told to, once it has started.
    """
    children: list[subprocess.Popen[bytes]] = []
    waiting: list[int] = []

    def forward(number: int, _: FrameType | None = None) -> None:
        if not children:
            waiting.append(number)
        elif children[0].poll() is None:
            os.kill(children[0].pid, number)

    def started(process: subprocess.Popen[bytes]) -> None:
        children.append(process)
        for number in waiting:
            forward(number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        yield started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
