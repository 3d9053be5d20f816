"""A `cosec serve` process to be measured: on a free port, with what the kernel and /metrics say about it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_COSEC = "import sys; from cosec.cli.main import main; sys.exit(main())"
POOL = min(32, (os.cpu_count() or 1) + 4)
"""Threads of asyncio's pool, which cut texts into tokens; they are started when needed and kept."""

QUIET = {"queue_depth": 0.0, "batch_rows": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The process at one moment."""

    resident_kib: int
    reserved_kib: int
    """Private memory it asked for, touched or not."""
    threads: int
    file_descriptors: int
    children: int


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server."""

    url: str
    pid: int
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def vitals(self) -> Vitals:
        """What the kernel says.

        Raises:
            RuntimeError: If the process has ended.
        """
        place = Path(f"/proc/{self.pid}")
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
        if "VmRSS" not in status:
            raise RuntimeError(
                "the server has ended; its log ends with\n" + self.log.read_text(errors="replace")[-2000:]
            )
        return Vitals(
            resident_kib=int(status["VmRSS"].split()[0]),
            reserved_kib=int(status["VmData"].split()[0]),
            threads=int(status["Threads"]),
            file_descriptors=len(os.listdir(place / "fd")),  # noqa: PTH208 - links that may be gone already
            children=len((place / "task" / str(self.pid) / "children").read_text().split()),
        )

    def metrics(self) -> dict[str, float]:
        """Counters and gauges by name, without ``cosec_``; labels as ``requests_total{status="200"}``."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=60) as answer:
            text = answer.read().decode()
        found = re.findall(r"^cosec_(\w+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found if "_bucket" not in name and "_created" not in name}

    def context_length(self) -> int:
        """Tokens that the served model's context holds."""
        with urllib.request.urlopen(self.url + "/v1/models", timeout=60) as answer:
            return int(json.load(answer)["data"][0]["max_model_len"])

    def at_rest(self, seconds: float, like: Vitals | None = None) -> bool:
        """Wait until nothing is queued or decoded, and no more is open than ``like`` has; a full pool is no leak."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            metrics, vitals = self.metrics(), self.vitals()
            idle = all(metrics[name] == value for name, value in QUIET.items())
            if idle and (like is None or _no_more(vitals, like)):
                return True
            time.sleep(0.2)
        return False

    def complaints(self) -> list[str]:
        """What the server's log says failed: its error lines, and how tracebacks end."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        # uvicorn's word for a client that sent several requests at once and left before it had all answers
        lines = [line for line in lines if "ASGI callable returned without completing response" not in line]
        return [
            line[:500] for line in lines if re.search(r"\bERROR\b|^[\w.]+(Error|Exception|ApiError|ClientGone)\b", line)
        ]


def _no_more(vitals: Vitals, like: Vitals) -> bool:
    return (
        vitals.threads <= like.threads + POOL
        and vitals.file_descriptors <= like.file_descriptors
        and vitals.children <= like.children
    )


@contextlib.contextmanager
def server_process(folder: Path, flags: Sequence[str]) -> Iterator[ServerProcess]:
    """`cosec serve --port 0` with ``flags``, its log in ``folder``; ended with SIGTERM."""
    log = folder / "serve.log"
    with log.open("wb") as stream:
        command = [sys.executable, "-c", _COSEC, "serve", "--port", "0", *flags]
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        while (found := re.search(r"at (http://\S+)", log.read_text(errors="replace"))) is None:
            if process.poll() is not None:
                raise SystemExit(f"the server did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield ServerProcess(found[1], process.pid, log)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def parser_of(docstring: str) -> argparse.ArgumentParser:
    """The arguments that every run against such a server has; what it is for is the docstring's first line."""
    parser = argparse.ArgumentParser(description=docstring.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", default="smollm2-135m", help="another model, for a trial")
    parser.add_argument("--security", default="default")
    return parser


def requests_counted(metrics: Mapping[str, float]) -> dict[str, int]:
    """The server's own count of requests, by status."""
    return {name: int(value) for name, value in metrics.items() if name.startswith("requests_")}


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
