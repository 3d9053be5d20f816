"""Training in the terminal: a bar with the time left, or plain lines if the output is not a terminal."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cosec.cli.launching.processes import is_first
from cosec.extras import how_to_install
from cosec.training.loop.progress import LossMeans

if TYPE_CHECKING:
    from cosec.training.alignment.align import AlignmentResult
    from cosec.training.hardening import HardeningResult

LINE_EVERY_SECONDS = 30
"""Without a terminal, a line for the log this often."""


class TerminalProgress:
    """Shows the events of one training run; use it as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left {task.fields[left]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._steps = self._done_before = 0
        self._began = self._last_line = time.monotonic()

    def __enter__(self) -> TerminalProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def teaching(self, *, examples: int) -> None:
        """Show a bar for the teacher's pass."""
        self._task = self._bar.add_task("teacher", total=examples, left="?")
        self._steps = examples
        if not self._console.is_terminal:
            self._print(f"the teacher predicts {examples} examples")

    def taught(self) -> None:
        """Advance that bar, or print a line now and then."""
        self._done_before += 1
        if self._task is not None:
            left = (time.monotonic() - self._began) / self._done_before * (self._steps - self._done_before)
            self._bar.update(self._task, completed=self._done_before, left=_duration(left))
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self._print(f"the teacher has predicted {self._done_before} of {self._steps} examples")

    def started(self, *, steps: int, done: int) -> None:
        """Show where training begins."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._steps, self._done_before, self._began = steps, done, time.monotonic()
        self._task = self._bar.add_task("training", total=steps, completed=done, left="?")
        if not self._console.is_terminal:
            self._print(f"training from step {done} to {steps}")

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        """Advance the bar, or print a line now and then."""
        left = _duration((time.monotonic() - self._began) / (step - self._done_before) * (self._steps - step))
        said = f"epoch {epoch + 1} loss {losses.loss:.3f}"
        if self._task is not None:
            self._bar.update(self._task, completed=step, description=said, left=left)
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self._print(f"step {step} of {self._steps}, {said}, left {left}")

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        """Print the validation losses."""
        verdict = "the lowest so far" if best else "not the lowest"
        parts = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in losses.parts.items())
        self._print(f"after epoch {epoch}: validation loss {losses.loss:.4f} ({parts}), {verdict}")

    def saved(self, folder: Path) -> None:
        """Print where the checkpoint is, in logs only."""
        if not self._console.is_terminal:
            self._print(f"checkpoint {folder}")

    def _print(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def _duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}h{minutes % 60:02d}m" if minutes >= 60 else f"{minutes}m{rest:02d}s"


def show_result(console: Console, product: str, result: AlignmentResult | HardeningResult) -> None:
    """Say in a few lines how a run ended; only the first of several processes does.

    Args:
        console: Where to print.
        product: What the run makes: ``student``, ``adapter`` or ``prefix``.
        result: How it ended.
    """
    if not is_first():
        return
    state = result.state
    if result.interrupted:
        ended = f"stopped after step {state.step}, all is saved; to continue, run the command again with --resume"
    else:
        ended = f"done after {state.step} steps and {state.tokens} tokens"
    loss = "" if state.best_loss is None else f" (validation loss {state.best_loss:.4f})"
    made = f"{product} in {result.folder}, from epoch {state.best_epoch}{loss}"
    lines = [ended, made if state.best_epoch else f"no trained {product} yet: no epoch has lowered the validation loss"]
    if not result.curves_drawn:
        lines.append(f"no curves.png: matplotlib is missing; {how_to_install('plots')}")
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
