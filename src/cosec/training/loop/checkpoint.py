"""Checkpoints that are either complete or absent, and the curves of the run.

A checkpoint is a folder ``checkpoints/step-0000123`` with the trained weights (``adapter.safetensors``, of an
adapter or of a whole model), the optimizer's moments (both safetensors) and ``state.json``: the position in the data,
the best result so far, and the inputs of the run. Sharded tensors are stored whole, so a run may continue with another
number of processes. Random states are not stored: order and dropout follow from the seed and the position
(see ``schedule``).
"""

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cosec.errors import TrainingError
from cosec.files import USUAL, why_unreadable, write_atomically
from cosec.training.loop.progress import LossSums
from cosec.training.loop.sharding import gathered, slice_like


@dataclass(slots=True, kw_only=True)
class RunState:
    """The state of a run, apart from weights and moments."""

    step: int = 0
    """Completed optimizer steps."""

    epoch: int = 0
    """Completed epochs, which is also the index of the current one."""

    batch: int = 0
    """Completed batches of the current epoch."""

    best_loss: float | None = None
    """Lowest validation loss so far."""

    best_epoch: int = 0
    """Number of epochs after which it was reached; 0 is the untrained adapter."""

    stale_epochs: int = 0
    """Epochs since then."""

    recent: LossSums = field(default_factory=LossSums)
    """Losses since the last point of the curve."""

    tokens: int = 0
    """Tokens of the examples trained on, over all processes."""

    seconds: float = 0.0
    """Time spent in training steps."""

    def record(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {**asdict(self), "recent": self.recent.record()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "RunState":
        """The inverse of ``record``; fields that an older checkpoint lacks take their defaults."""
        return cls(**{**record, "recent": LossSums.from_record(record["recent"])})


class CheckpointStore:
    """The checkpoints and curves of one run folder.

    Args:
        folder: The run's output folder.
        identity: What the run was made from (settings, data, base model); a checkpoint of another run is refused.
        keep_epochs: Keep the checkpoints at the ends of epochs; otherwise only the newest.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, keep_epochs: bool = True) -> None:
        self._keep_epochs = keep_epochs
        self._checkpoints = folder / "checkpoints"
        self._curves = folder / "curves.jsonl"
        self._identity = json.loads(json.dumps(identity))

    def latest(self) -> Path | None:
        """The newest whole checkpoint."""
        found = sorted(self._checkpoints.glob("step-*"))
        return found[-1] if found else None

    @property
    def is_begun(self) -> bool:
        """Whether a run has begun in the folder; it may have ended before its first checkpoint."""
        return self._checkpoints.is_dir()

    @property
    def remedy(self) -> str:
        """What to do after a failed write, for its message."""
        if self.latest() is None:
            return "Make room and run the same command again."
        return "Earlier checkpoints are intact: make room and run again with --resume."

    def begin(self) -> None:
        """Make the folder of a run."""
        self._checkpoints.mkdir(parents=True, exist_ok=True)

    def save(
        self,
        state: RunState,
        parameters: Mapping[str, nn.Parameter],
        optimizer: torch.optim.Optimizer,
        *,
        write: bool = True,
    ) -> Path:
        """Write a checkpoint beside its final place, then rename it; older ones inside an epoch go.

        They go when the new one is on the disk, so that one survives a power failure at any time.

        Args:
            state: The state of the run.
            parameters: The trained parameters by name.
            optimizer: AdamW, for their moments.
            write: False in all processes but one: they only give their slices of what is divided.

        Raises:
            TrainingError: If it cannot be written; the checkpoints before it are untouched.
        """
        final = self._checkpoints / f"step-{state.step:07d}"
        weights = gathered(parameters, keep=write)
        moments = gathered(_moments(parameters, optimizer), keep=write)
        if not write:
            return final
        partial = self._checkpoints / f"partial-{state.step:07d}"
        with writing(final, self.remedy):
            self._remove("partial-*")  # of killed writes; nothing reads them
            partial.mkdir(parents=True)
            save_file(weights, partial / "adapter.safetensors")
            save_file(moments, partial / "optimizer.safetensors")
            record = {"state": state.record(), "identity": self._identity}
            (partial / "state.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            self._put_in_place(partial, final)
        self._remove("replaced-*")
        self._prune(keep=final)
        return final

    def _put_in_place(self, partial: Path, final: Path) -> None:
        """Rename a checkpoint when its files are on the disk, and wait until its name is there too."""
        for path in (*partial.iterdir(), partial):
            _sync(path)
        if final.exists():  # stopped at the last step of an epoch, then resumed: the epoch's end has the same step
            replaced = partial.with_name(partial.name.replace("partial", "replaced"))
            shutil.rmtree(replaced, ignore_errors=True)
            final.rename(replaced)
        partial.rename(final)
        _sync(self._checkpoints)

    def newest(self) -> tuple[Path, dict[str, Any]]:
        """The newest checkpoint and its ``state.json``.

        Raises:
            TrainingError: If there is none, it is damaged, or it belongs to a run with other settings, data or base
                model.
        """
        folder = self.latest()
        if folder is None:
            raise TrainingError(f"Nothing to resume: no checkpoint in {self._checkpoints}; start without --resume.")
        with _reading(folder):
            record = dict(json.loads((folder / "state.json").read_text(encoding="utf-8")))
            self._check_identity(record["identity"], folder)
        return folder, record

    def load(self, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> RunState:
        """Put the newest checkpoint's weights and moments in place.

        Raises:
            TrainingError: As ``newest`` does.
        """
        folder, record = self.newest()
        with _reading(folder):
            adapter, moments = load_file(folder / "adapter.safetensors"), load_file(folder / "optimizer.safetensors")
            with torch.no_grad():
                for name, value in parameters.items():
                    value.copy_(slice_like(adapter[name], value))
            _restore_moments(parameters, optimizer, moments)
            return RunState.from_record(record["state"])

    def append_curve(self, point: Mapping[str, Any]) -> None:
        """Add one point to ``curves.jsonl``; a number that is none (not measured) is written as null."""
        point = {
            name: None if isinstance(value, float) and math.isnan(value) else value for name, value in point.items()
        }
        with writing(self._curves, self.remedy), self._curves.open("a", encoding="utf-8") as file:
            file.write(json.dumps(point) + "\n")

    def rewind_curves(self, step: int) -> None:
        """Drop the points after ``step``, which a resumed run will write again; step -1 drops all."""
        points = [point for point in self.curves() if point["step"] <= step]
        with writing(self._curves, self.remedy):
            write_atomically(self._curves, "".join(json.dumps(point) + "\n" for point in points), mode=USUAL)

    def curves(self) -> list[dict[str, Any]]:
        """All points; a last line that was cut off while being written is left out."""
        if not self._curves.is_file():
            return []
        lines = self._curves.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def _check_identity(self, found: Mapping[str, Any], folder: Path) -> None:
        difference = difference_between(found, self._identity)
        if difference:
            raise TrainingError(f"{folder} belongs to another run: {difference}; use the same, or another --out.")

    def _remove(self, pattern: str) -> None:
        for folder in self._checkpoints.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)

    def _prune(self, keep: Path) -> None:
        for folder in self._checkpoints.glob("step-*"):
            with suppress(OSError, ValueError, KeyError):  # a damaged old checkpoint must not stop the run
                record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                if folder != keep and not (self._keep_epochs and record["state"]["batch"] == 0):
                    shutil.rmtree(folder)


def difference_between(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """Which entries differ, with both values of the first; None where all are equal."""
    different = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
    if not different:
        return None
    first, verb = different[0], "differs" if len(different) == 1 else "differ"
    return f"{', '.join(different)} {verb} ({first}: {there.get(first)!r} there, {here.get(first)!r} here)"


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk, where the file system can do that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def writing(place: Path, remedy: str) -> Iterator[None]:
    """Turn a failed write (disk full, no permission) into an error that says what to do.

    Args:
        place: What is written.
        remedy: What to do, in sentences.

    Raises:
        TrainingError: For any OSError, and for safetensors' own write errors.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"Cannot write {place}: {why_unreadable(error)}. {remedy}") from error


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn any failure to read a checkpoint into an error that says what to do.

    Raises:
        TrainingError: If it is damaged.
    """
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        others = any(each != folder for each in folder.parent.glob("step-*"))
        remedy = "delete it to resume from the one before" if others else "there is no other; choose another --out"
        raise TrainingError(f"The checkpoint {folder} is damaged ({why_unreadable(error)}); {remedy}.") from error


def _moments(parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """AdamW's state as flat names: ``exp_avg/NAME``, ``exp_avg_sq/NAME``, ``step/NAME``."""
    return {
        f"{kind}/{name}": value
        for name, parameter in parameters.items()
        for kind, value in optimizer.state[parameter].items()
    }


def _restore_moments(
    parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]
) -> None:
    """The inverse of ``_moments``; an optimizer that has not stepped yet has none."""
    for flat_name, value in moments.items():
        kind, name = flat_name.split("/", 1)
        parameter = parameters[name]
        optimizer.state[parameter][kind] = (
            value.to(parameter.device) if kind == "step" else slice_like(value, parameter)
        )
