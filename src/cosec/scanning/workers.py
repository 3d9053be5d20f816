"""The workers of a scan: processes that judge files in parallel, or the scan's own process.

Worker processes are started as programs, not forked: this works beside other threads, and with any main program. A file
that ends its worker, or that a worker does not finish in time, costs that file only.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol, cast

from cosec.checking.finding import CheckReport, FileChecker, Unscored
from cosec.scanning.judgement import Judgement
from cosec.scanning.worker import CUT_SHORT, Answer, Job, judge

WALL_SECONDS = 300.0
"""Time after which a worker process is ended; its own limit of processor time comes first unless it hangs."""

_PROGRAM = "from cosec.scanning.worker import main; main()"


class Workers(Protocol):
    """Judges jobs in any order."""

    @property
    def full(self) -> bool:
        """Whether `submit` has to wait for an answer."""
        ...

    @property
    def busy(self) -> bool:
        """Whether there are answers to come."""
        ...

    def submit(self, number: int, job: Job) -> None:
        """Start a job; ``number`` comes back with its answer."""
        ...

    def wait(self) -> tuple[int, Answer]:
        """Return the next answer."""
        ...

    def close(self) -> None:
        """End all jobs that are not done."""
        ...


class OneProcess:
    """Judges in the scan's own process.

    Args:
        checkers: Made checkers by name.
    """

    def __init__(self, checkers: Sequence[FileChecker]) -> None:
        self._checkers = {checker.name: checker for checker in checkers}
        self._waiting: list[tuple[int, Job]] = []

    @property
    def full(self) -> bool:
        """Whether a job waits for `wait`."""
        return bool(self._waiting)

    busy = full

    def submit(self, number: int, job: Job) -> None:
        """Keep a job for `wait`."""
        self._waiting.append((number, job))

    def wait(self) -> tuple[int, Answer]:
        """Judge the waiting job."""
        number, job = self._waiting.pop()
        return number, judge(job, [self._checkers[name] for name, _ in job.checkers])

    def close(self) -> None:
        """Forget the waiting job."""
        self._waiting.clear()


class Processes:
    """Judges in processes of their own, which are started when they are needed.

    Args:
        count: The number of processes.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._idle: list[_Process] = []
        self._running: dict[int, tuple[_Process, Job, float]] = {}
        """By the number of the job: the process, the job, and the time at which it has to be done."""
        self._overdue: set[int] = set()
        self._answers: queue.SimpleQueue[tuple[int, Answer | None]] = queue.SimpleQueue()

    @property
    def full(self) -> bool:
        """Whether all processes have a job."""
        return len(self._running) >= self._count

    @property
    def busy(self) -> bool:
        """Whether a process has a job."""
        return bool(self._running)

    def submit(self, number: int, job: Job) -> None:
        """Hand a job to an idle process, or to a new one."""
        process = self._idle.pop() if self._idle else _Process(self._answers)
        self._running[number] = (process, job, time.monotonic() + WALL_SECONDS)
        process.submit(number, job)

    def wait(self) -> tuple[int, Answer]:
        """Return the next answer; a process that takes too long is ended and has no findings."""
        while True:
            waiting = [end for number, (_, _, end) in self._running.items() if number not in self._overdue]
            timeout = max(0.0, min(waiting) - time.monotonic()) if waiting else None
            try:
                number, answer = self._answers.get(timeout=timeout)
            except queue.Empty:
                self._end_overdue()
                continue
            process, job, _ = self._running.pop(number)
            if answer is not None and number not in self._overdue:
                self._idle.append(process)
                return number, answer
            process.end()
            reason = CUT_SHORT if number in self._overdue else "the process that checked it ended"
            return number, answer or _no_answer(job, reason)

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for number, (process, _, end) in self._running.items():
            if end <= now and number not in self._overdue:
                self._overdue.add(number)
                process.end()  # its thread then answers None

    def close(self) -> None:
        """End all processes."""
        for process in [*self._idle, *(process for process, _, _ in self._running.values())]:
            process.end()
        self._idle.clear()
        self._running.clear()


def _no_answer(job: Job, reason: str) -> Answer:
    report = CheckReport(unscored=(Unscored(path=job.path, reason=reason),))
    judgements = (Judgement(checker=name, patterns=patterns, report=report) for name, patterns in job.checkers)
    return Answer(judgements=tuple(judgements), lasting=False)


class _Process:
    """A worker process, and the thread that speaks with it."""

    def __init__(self, answers: queue.SimpleQueue[tuple[int, Answer | None]]) -> None:
        self._answers = answers
        self._jobs: queue.SimpleQueue[tuple[int, Job] | None] = queue.SimpleQueue()
        package = Path(__file__).parents[2]
        importable = [str(package), *(path for path in sys.path if path and Path(path).is_absolute())]
        self._program = subprocess.Popen(
            # -P: modules of the folder that is checked must not be imported.
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(importable)},
            # Ctrl-C in a terminal reaches its whole process group; the scan ends its workers itself.
            process_group=0 if os.name == "posix" else None,
        )
        threading.Thread(target=self._speak, daemon=True).start()

    def submit(self, number: int, job: Job) -> None:
        """Send a job; the answer, or None if the process ends, goes to the queue of answers."""
        self._jobs.put((number, job))

    def end(self) -> None:
        """End the process."""
        self._jobs.put(None)
        self._program.kill()
        self._program.wait()

    def _speak(self) -> None:
        stdin, stdout = cast(IO[bytes], self._program.stdin), cast(IO[bytes], self._program.stdout)
        while (task := self._jobs.get()) is not None:
            number, job = task
            try:
                pickle.dump(job, stdin, protocol=pickle.HIGHEST_PROTOCOL)
                stdin.flush()
                answer = pickle.load(stdout)
            except (OSError, EOFError, pickle.UnpicklingError):
                answer = None
            self._answers.put((number, answer))
        for stream in (stdin, stdout):
            with contextlib.suppress(OSError):  # what was not sent is lost with the process
                stream.close()
