"""Stop a run on Ctrl-C or SIGTERM without losing what it has learned.

A signal interrupts the computation of an example at once, between two operations. The optimizer step or the validation
in progress is abandoned; the run saves the state before it and repeats it after ``--resume``.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequested(Exception):  # noqa: N818 - an event, not a fault
    """Ctrl-C or SIGTERM arrived; the computation in progress is abandoned."""


class StopSignal:
    """Whether the process was asked to stop."""

    def __init__(self) -> None:
        self.requested = False
        """True from the first signal on."""
        self._interrupts = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise `StopRequested` inside the block as soon as a signal arrives, or at once if one has arrived.

        The block must hold nothing that other processes wait for, such as a collective operation.
        """
        self._interrupts = True
        try:
            if self.requested:
                raise StopRequested
            yield
        finally:
            self._interrupts = False

    def note(self, signal_number: int, frame: object) -> None:
        """Handle a signal."""
        self.requested = True
        if self._interrupts:
            self._interrupts = False
            raise StopRequested


@contextmanager
def stop_signal() -> Iterator[StopSignal]:
    """Within the block, Ctrl-C and SIGTERM go to the `StopSignal` it gives; the previous handlers return afterwards."""
    stop = StopSignal()
    previous = {number: signal.signal(number, stop.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
