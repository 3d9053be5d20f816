"""Events of a training run. The terminal's receiver is in ``cosec.cli``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LossMeans:
    """Mean losses over some examples, in nats."""

    loss: float
    parts: Mapping[str, float]
    """Parts of the loss by name; NaN for a part that was not measured."""

    def record(self) -> dict[str, float]:
        """All of them by name, the loss first."""
        return {"loss": self.loss, **self.parts}


@dataclass(slots=True)
class LossSums:
    """Running sums behind ``LossMeans``."""

    sums: dict[str, float] = field(default_factory=dict)
    """By name; the loss itself is ``loss``."""

    examples: int = 0

    def add(self, values: Mapping[str, float], examples: int = 1) -> None:
        """Count one example, or the sums of several."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.examples += examples

    def means(self) -> LossMeans:
        """The means so far.

        Raises:
            ZeroDivisionError: Before the first example.
        """
        means = {name: value / self.examples for name, value in self.sums.items()}
        return LossMeans(loss=means.pop("loss"), parts=means)

    def record(self) -> dict[str, float]:
        """Everything in one flat dictionary, for a checkpoint."""
        return {**self.sums, "examples": self.examples}

    @classmethod
    def from_record(cls, record: Mapping[str, float]) -> "LossSums":
        """The inverse of ``record``."""
        sums = {name: value for name, value in record.items() if name != "examples"}
        return cls(sums, int(record["examples"]))


class Progress(Protocol):
    """Receives the events of one training run, on the main process only."""

    def teaching(self, *, examples: int) -> None:
        """A teacher starts to predict ``examples`` examples; this process predicts its share."""

    def taught(self) -> None:
        """One of them is done."""

    def started(self, *, steps: int, done: int) -> None:
        """Training begins at step ``done`` of ``steps``."""

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        """Step ``step`` is done; ``losses`` are the means of its examples."""

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        """Validation after ``epoch`` epochs is done; ``best`` if it is the lowest so far."""

    def saved(self, folder: Path) -> None:
        """A checkpoint was written to ``folder``."""


class SilentProgress:
    """Ignores all events."""

    def teaching(self, *, examples: int) -> None:
        """Ignore the event."""

    def taught(self) -> None:
        """Ignore the event."""

    def started(self, *, steps: int, done: int) -> None:
        """Ignore the event."""

    def stepped(self, *, step: int, epoch: int, losses: LossMeans) -> None:
        """Ignore the event."""

    def validated(self, *, epoch: int, losses: LossMeans, best: bool) -> None:
        """Ignore the event."""

    def saved(self, folder: Path) -> None:
        """Ignore the event."""
