"""Progress of a study in the terminal: a line after each unit."""

from __future__ import annotations

import time

from rich.console import Console

from cosec.evaluation.study import Step


class StudyProgress:
    """Prints after each unit how much is done, how fast it goes and how long the rest will take."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console
        self._began = time.monotonic()
        self._first: int | None = None

    def __call__(self, step: Step) -> None:
        """Print the line of one unit."""
        if self._first is None:
            self._first = step.done
            self._began = time.monotonic()
        gained = step.done - self._first
        left = (step.total - step.done) * (time.monotonic() - self._began) / gained if gained else None
        rate = f", {step.tokens / step.seconds:.0f} tokens/s" if step.tokens and step.seconds else ""
        when = f", {_duration(left)} left" if left else ""
        self._console.print(
            f"{step.done} of {step.total} completions{rate}{when} ({step.unit})", soft_wrap=True, highlight=False
        )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else "less than a minute"
