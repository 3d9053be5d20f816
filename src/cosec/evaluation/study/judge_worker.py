"""Judge the units of a study while it runs, in a worker process beside the one that generates."""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, Self

from cosec.errors import CheckerError, CosecError
from cosec.evaluation.judging.judges import Judges
from cosec.evaluation.study.judge_units import RecordedUnit, judge_unit
from cosec.evaluation.study.records import StudyFolder

NICENESS = 10
"""Added to the niceness of a worker, so that generation comes first."""

_IDLE_SECONDS = 2.0
"""Time that a worker has to end by itself."""

_WORKER_ENDED = "The judging process ended unexpectedly; start again to continue."


class UnitJudge(Protocol):
    """Judges units that are submitted to it."""

    def submit(self, unit: RecordedUnit) -> None:
        """Judge a unit, now or later.

        Raises:
            CosecError: If judging this unit or an earlier one failed.
        """
        ...

    def wait(self) -> None:
        """Return when every submitted unit is judged.

        Raises:
            CosecError: If judging failed.
        """
        ...


class JudgeWorker:
    """Judges in a worker process of lower priority, one unit after the other, while this process goes on.

    The worker ends with this process, even if this process is killed, because its pipe closes then.
    """

    def __init__(self, folder: Path, judges: Judges) -> None:
        context = get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, folder, judges), daemon=True)
        self._process.start()
        other.close()
        self._unanswered = 0

    def submit(self, unit: RecordedUnit) -> None:
        """Hand the unit to the worker; see `UnitJudge`."""
        while self._unanswered and self._pipe.poll():
            self._receive()
        try:
            self._pipe.send(unit)
        except OSError as error:
            raise CheckerError(_WORKER_ENDED) from error
        self._unanswered += 1

    def wait(self) -> None:
        """Return when the worker has judged every submitted unit; see `UnitJudge`."""
        while self._unanswered:
            self._receive()

    def close(self) -> None:
        """End the worker, whatever it is doing. Records consist of whole lines at any moment."""
        self._pipe.close()
        self._process.join(_IDLE_SECONDS)  # an idle worker ends by itself and removes its temporary files
        self._process.terminate()
        self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> None:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise CheckerError(_WORKER_ENDED) from error
        self._unanswered -= 1
        if isinstance(answer, Exception):
            raise answer


def _work(pipe: Connection, folder: Path, judges: Judges) -> None:
    """Judge units until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the generating process decides when to stop
    os.nice(NICENESS)
    units: SimpleQueue[RecordedUnit | None] = SimpleQueue()
    Thread(target=_take, args=(pipe, units), daemon=True).start()
    while (unit := units.get()) is not None:
        try:
            judge_unit(StudyFolder(folder), unit, judges)
            answer: CosecError | None = None
        except CosecError as error:
            answer = error
        except Exception as error:  # a defect of a judge; the unit is named, and the others stay judged
            answer = CheckerError(f"{unit.name} cannot be judged ({type(error).__name__}: {error}).")
        try:
            pipe.send(answer)
        except OSError:
            return


def _take(pipe: Connection, units: SimpleQueue[RecordedUnit | None]) -> None:
    """Take units from the pipe as they come, so that it is never full while a unit is judged; None is the end."""
    try:
        while True:
            units.put(pipe.recv())
    except (EOFError, OSError):
        units.put(None)
