"""What the loop tells whoever watches it. The terminal's implementation lives in ``cli``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LossMeans:
    """Mean losses over some examples, in nats."""

    loss: float
    security: float
    functional: float


@dataclass(slots=True)
class LossSums:
    """Running sums behind ``LossMeans``."""

    loss: float = 0.0
    security: float = 0.0
    functional: float = 0.0
    examples: int = field(default=0)

    def add(self, loss: float, security: float, functional: float, examples: int = 1) -> None:
        """Count one example, or the sums of several."""
        self.loss += loss
        self.security += security
        self.functional += functional
        self.examples += examples

    def means(self) -> LossMeans:
        """The means so far; zeros before the first example."""
        count = max(self.examples, 1)
        return LossMeans(loss=self.loss / count, security=self.security / count, functional=self.functional / count)


class Progress(Protocol):
    """Receives events of one training run, on the main process only."""

    def started(self, *, steps: int, done: int) -> None:
        """Training begins at step ``done`` of ``steps``."""

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        """Step ``step`` is done; ``losses`` are the means of its examples."""

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        """Validation after ``epoch`` epochs is done; ``best`` if it is the lowest so far."""

    def saved(self, folder: Path) -> None:
        """A checkpoint was written to ``folder``."""


class SilentProgress:
    """Tells nobody."""

    def started(self, *, steps: int, done: int) -> None:
        """Ignore the event."""

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        """Ignore the event."""

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        """Ignore the event."""

    def saved(self, folder: Path) -> None:
        """Ignore the event."""
