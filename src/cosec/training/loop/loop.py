"""One training loop for every phase: batches, gradients shared between processes, validation, checkpoints.

Each process runs its part of a batch, one example at a time, and gradients are summed over the processes. The steps
therefore do not depend on the number of processes. If several examples run at once, the dropout does: it is drawn for
a group, and each process groups its own part of the batch, so that none is idle. The loop sees named parameters and an
objective that gives the loss of an example; it does not know about models. If the parameters are sharded, all processes
run an example together.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cosec.errors import SettingsError, TrainingError
from cosec.training.loop.checkpoint import CheckpointStore, RunState
from cosec.training.loop.progress import LossMeans, LossSums, Progress
from cosec.training.loop.schedule import dropout_seed, epoch_batches, learning_rate, total_steps
from cosec.training.loop.sharding import is_sharded, whole
from cosec.training.loop.stopping import StopRequested, StopSignal, stop_signal
from cosec.training.objective import ExampleLoss
from cosec.training.settings import TrainingSettings


class Example(Protocol):
    """The part of an example that the loop uses."""

    @property
    def token_ids(self) -> Tensor:
        """int64[tokens]."""
        ...

    @property
    def key(self) -> int:
        """Number that all repeats of an example share."""
        ...

    @property
    def origin(self) -> str:
        """Name of the example in messages."""
        ...


AnExample = TypeVar("AnExample", bound=Example)
"""The type of the examples that a loop trains on."""

Judged = TypeVar("Judged", contravariant=True)
"""The type of the examples that an objective takes."""


class Objective(Protocol[Judged]):
    """Gives the loss of one example."""

    def parts(self, *, training: bool) -> tuple[str, ...]:
        """Names of the parts of the loss, in training or in validation."""
        ...

    def loss(self, example: Judged, *, training: bool, cache_key: str) -> ExampleLoss:
        """Compute it, with the adapter's dropout on when ``training``."""
        ...


@dataclass(frozen=True, slots=True)
class Together(Generic[AnExample]):
    """How several examples are run at once, where that is faster."""

    losses: Callable[..., Sequence[ExampleLoss]]
    """Called with examples, and by name with ``training`` and ``cache_keys``; the loss of each."""

    count: int
    """How many, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOutcome:
    """How a run ended."""

    state: RunState
    interrupted: bool
    """True after Ctrl-C or SIGTERM; the last checkpoint holds everything."""


class TrainingLoop(Generic[AnExample]):
    """One training run.

    Args:
        objective: Gives the loss of one example.
        parameters: The trained parameters by name; every process starts with the same values, or its slices of them.
        training: The examples of one epoch, repeats included.
        validation: The examples whose mean loss decides which adapter is kept.
        settings: Batch, learning rate, epochs, seed.
        store: Where checkpoints and curves go (written by the main process).
        accelerator: Knows the processes.
        progress: Receives the events of the run, on the main process.
        together: Runs examples of a batch at once; None: one after the other.
        on_validated: Called on every process after each validation, with whether its loss is the lowest so far;
            without validation examples every epoch counts as the lowest.
    """

    def __init__(
        self,
        *,
        objective: Objective[AnExample],
        parameters: Mapping[str, nn.Parameter],
        training: Sequence[AnExample],
        validation: Sequence[AnExample],
        settings: TrainingSettings,
        store: CheckpointStore,
        accelerator: Accelerator,
        progress: Progress,
        on_validated: Callable[[RunState, bool], None],
        together: Together[AnExample] | None = None,
    ) -> None:
        if accelerator.num_processes > settings.batch_size:
            raise SettingsError(
                f"{accelerator.num_processes} processes cannot share a batch of {settings.batch_size};"
                " raise --batch-size."
            )
        self._objective, self._parameters, self._settings = objective, parameters, settings
        self._training, self._validation = training, validation
        self._store, self._accelerator, self._progress, self._on_validated = store, accelerator, progress, on_validated
        self._together = together
        self._steps = total_steps(len(training), settings)
        self._optimizer = torch.optim.AdamW(
            parameters.values(), eps=settings.adam_epsilon, weight_decay=settings.weight_decay, fused=True
        )
        self._sharded = any(is_sharded(value) for value in parameters.values())
        self._last_saved = time.monotonic()
        self._stop = StopSignal()

    def run(self, *, resume: bool) -> LoopOutcome:
        """Train to the end, or until Ctrl-C or SIGTERM.

        A signal abandons the optimizer step or the validation in progress; the checkpoint holds the state before it.

        Raises:
            TrainingError: If a loss is not finite, a checkpoint cannot be written or there is nothing to resume.
        """
        state = self._store.load(self._parameters, self._optimizer) if resume else RunState()
        self._accelerator.wait_for_everyone()
        if self._accelerator.is_main_process:
            self._store.rewind_curves(state.step if resume else -1)
        with stop_signal() as self._stop:
            try:
                self._train(state)
            except StopRequested:
                self._save(state)
                return LoopOutcome(state=state, interrupted=True)
        return LoopOutcome(state=state, interrupted=False)

    def _train(self, state: RunState) -> None:
        if state.step == 0 and state.best_loss is None:
            self._validate(state)
            self._save(state)
        if self._accelerator.is_main_process:
            self._progress.started(steps=self._steps, done=state.step)
        # A run that was stopped in its last validation has taken all steps, and is still inside the epoch.
        while (state.step < self._steps or state.batch) and not self._patience_is_over(state):
            self._run_epoch(state)

    def _patience_is_over(self, state: RunState) -> bool:
        patience = self._settings.patience
        return bool(patience) and state.batch == 0 and state.stale_epochs >= patience

    def _run_epoch(self, state: RunState) -> None:
        """Run what is left of the epoch, then validate."""
        settings = self._settings
        lengths = [len(example.token_ids) for example in self._training]
        batches = epoch_batches(lengths, batch_size=settings.batch_size, seed=settings.seed, epoch=state.epoch)
        while state.batch < len(batches) and state.step < self._steps:
            self._step(state, batches[state.batch])
            if state.batch < len(batches) and self._checkpoint_is_due():  # the end of the epoch has its own
                self._save(state)
        before = state.epoch, state.batch
        state.epoch, state.batch = state.epoch + 1, 0
        try:
            self._validate(state)
        except StopRequested:
            state.epoch, state.batch = before
            raise
        self._save(state)

    def _checkpoint_is_due(self) -> bool:
        """Whether the time between checkpoints is over. Processes that gather the weights decide together."""
        due = time.monotonic() - self._last_saved > 60 * self._settings.checkpoint_minutes
        return bool(self._share([float(due)])[0]) if self._sharded else due

    def _step(self, state: RunState, batch: Sequence[int]) -> None:
        """Take one optimizer step over ``batch`` and update ``state``.

        Raises:
            StopRequested: If any process was asked to stop; ``state`` and the weights are as before the step.
        """
        settings = self._settings
        began = time.monotonic()
        names = ("loss", *self._objective.parts(training=True))
        sums = LossSums(dict.fromkeys(names, 0.0))

        def backward(offsets: Sequence[int], counts: bool) -> None:
            position = state.batch * settings.batch_size + offsets[0]
            torch.manual_seed(dropout_seed(settings.seed, state.epoch, position))
            losses = self._losses([self._training[batch[offset]] for offset in offsets], training=True)
            total = torch.stack([loss.total for loss in losses]).sum()
            (total * counts / len(batch)).backward()  # type: ignore[no-untyped-call]
            for loss in losses if counts else ():
                sums.add(_values(loss))

        shared = self._run_share(len(batch), backward, lambda: [sums.sums[name] for name in names])
        gradient_norm = self._share_gradients()
        if not (math.isfinite(shared[0]) and math.isfinite(gradient_norm)):
            raise self._not_finite(state, batch, shared[0], gradient_norm)
        rate = learning_rate(state.step, self._steps, settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        state.step, state.batch = state.step + 1, state.batch + 1
        state.tokens += sum(len(self._training[index].token_ids) for index in batch)
        state.seconds += time.monotonic() - began
        batch_sums = dict(zip(names, shared, strict=True))
        state.recent.add(batch_sums, examples=len(batch))
        self._report_step(state, LossSums(batch_sums, len(batch)).means(), rate, gradient_norm)

    def _run_share(
        self, count: int, run: Callable[[Sequence[int], bool], None], sums: Callable[[], list[float]]
    ) -> list[float]:
        """Run this process's share of ``count`` examples and add the sums up over the processes.

        Where the weights are divided, an example's passes wait for the other processes, so a signal is noticed after
        the share.

        Args:
            count: How many examples all processes run together.
            run: Runs the examples at some indices; told whether they count.
            sums: What to add up, read after the share.

        Raises:
            StopRequested: On every process, if any of them was asked to stop.
        """
        with suppress(StopRequested):  # the other processes hear of it below
            for indices, counts in self._share_of(count):
                if self._sharded:
                    run(indices, counts)
                else:
                    with self._stop.interruptible():
                        run(indices, counts)
        *shared, stops = self._share([*sums(), float(self._stop.requested)])
        if stops:
            self._optimizer.zero_grad()
            raise StopRequested
        return shared

    def _share_of(self, count: int) -> Iterator[tuple[Sequence[int], bool]]:
        """Which of ``count`` examples this process runs, in groups that run at once, and whether they count.

        Divided weights are gathered by all processes at once, so where these run short of examples, those that have
        none run one that does not count.
        """
        processes = self._accelerator.num_processes
        own = range(self._accelerator.process_index, count, processes)
        size = self._together.count if self._together else 1
        yield from ((own[start : start + size], True) for start in range(0, len(own), size))
        if self._sharded and len(own) < -(-count // processes):
            yield [0], False

    def _losses(self, examples: Sequence[AnExample], *, training: bool) -> Sequence[ExampleLoss]:
        keys = [f"{'training' if training else 'validation'}-{example.key}" for example in examples]
        if self._together is not None:
            return self._together.losses(examples, training=training, cache_keys=keys)
        return [
            self._objective.loss(example, training=training, cache_key=key)
            for example, key in zip(examples, keys, strict=True)
        ]

    def _share_gradients(self) -> float:
        """Add the gradients up over the processes, clip them, and return their norm before clipping."""
        gradients = []
        for parameter in self._parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        if self._accelerator.num_processes > 1 and not self._sharded:  # slices came out of the backward pass added up
            flat = self._accelerator.reduce(torch.cat([gradient.flatten() for gradient in gradients]), reduction="sum")
            for gradient, total in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):
                gradient.copy_(total.view_as(gradient))
        norm = whole(nn.utils.get_total_norm(gradients))
        nn.utils.clip_grads_with_norm_(self._parameters.values(), self._settings.clip_norm, norm)
        return float(norm)

    def _share(self, values: Sequence[float]) -> list[float]:
        """Sum each value over the processes."""
        total: Tensor = self._accelerator.reduce(
            torch.tensor(values, dtype=torch.float64, device=self._accelerator.device), reduction="sum"
        )
        return [float(value) for value in total]

    def _not_finite(self, state: RunState, batch: Sequence[int], loss: float, norm: float) -> TrainingError:
        names = ", ".join(self._training[index].origin for index in batch)
        return TrainingError(
            f"Step {state.step + 1}: loss {loss}, gradient norm {norm} on {names}; the last checkpoint is intact."
            " Look at these examples, or lower the learning rate."
        )

    def _report_step(self, state: RunState, losses: LossMeans, rate: float, gradient_norm: float) -> None:
        if self._accelerator.is_main_process:
            self._progress.stepped(step=state.step, epoch=state.epoch, losses=losses)
        if state.step % self._settings.log_every == 0:
            point = {"kind": "training", **self._place(state), **state.recent.means().record()}
            self._curve({**point, "learning_rate": rate, "gradient_norm": gradient_norm})
            state.recent = LossSums()

    @torch.no_grad()
    def _validate(self, state: RunState) -> None:
        """Measure the validation loss and note whether it is the lowest; without examples the newest counts."""
        losses = self._validation_losses(state.epoch)
        best = losses is None or state.best_loss is None or losses.loss < state.best_loss
        state.stale_epochs = 0 if best else state.stale_epochs + 1
        if best:
            state.best_loss, state.best_epoch = losses.loss if losses else None, state.epoch
        if losses:
            self._curve({"kind": "validation", **self._place(state), **losses.record()})
        if losses and self._accelerator.is_main_process:
            self._progress.validated(epoch=state.epoch, losses=losses, best=best)
        self._on_validated(state, best)

    def _validation_losses(self, epoch: int) -> LossMeans | None:
        """Mean losses over the validation examples, shared between the processes; None where there are none."""
        if not self._validation:
            return None
        names = ("loss", *self._objective.parts(training=False))
        sums = LossSums(dict.fromkeys(names, 0.0))

        def measure(indices: Sequence[int], counts: bool) -> None:
            losses = self._losses([self._validation[index] for index in indices], training=False)
            for loss in losses if counts else ():
                sums.add(_values(loss))

        shared = self._run_share(len(self._validation), measure, lambda: [sums.sums[name] for name in names])
        losses = LossSums(dict(zip(names, shared, strict=True)), len(self._validation)).means()
        if not math.isfinite(losses.loss):
            raise TrainingError(
                f"The validation loss after epoch {epoch} is {losses.loss}; the last checkpoint is intact."
            )
        return losses

    def _place(self, state: RunState) -> dict[str, float]:
        """Where a point of the curve belongs."""
        return {"step": state.step, "epoch": state.epoch, "tokens": state.tokens, "seconds": round(state.seconds, 3)}

    def _curve(self, point: Mapping[str, Any]) -> None:
        if self._accelerator.is_main_process:
            self._store.append_curve(point)

    def _save(self, state: RunState) -> None:
        """Write a checkpoint from the main process; all processes hold the same state, or their slices of it."""
        main = self._accelerator.is_main_process
        folder = self._store.save(state, self._parameters, self._optimizer, write=main)
        if main:
            self._progress.saved(folder)
        self._last_saved = time.monotonic()


def _values(loss: ExampleLoss) -> dict[str, float]:
    """The loss and its parts as numbers."""
    return {"loss": loss.total.item(), **{name: value.item() for name, value in loss.parts.items()}}
