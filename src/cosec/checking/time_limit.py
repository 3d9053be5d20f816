"""A limit on the processor time of one file, for checkers that read files of any size.

Checkers bound their work by counts of steps, so that the same file always gives the same findings. This limit is the
last resort: what it cuts short depends on the machine, and is never kept.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


class OutOfTime(BaseException):
    """The time limit was reached; no `Exception`, so that handlers of defects do not take it for one."""


@dataclass(slots=True)
class TimeLimit:
    """A limit in progress."""

    reached: bool = False


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """Raise `OutOfTime` inside the block after ``seconds`` of processor time in user mode.

    Has no effect outside the main thread, and on systems without interval timers.
    """
    limit = TimeLimit()
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield limit
        return

    def stop(_: int, __: FrameType | None) -> None:
        limit.reached = True
        raise OutOfTime

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
