"""Which examples make which step, and at which learning rate.

Pure functions of the settings, so that a resumed run repeats them.
"""

import hashlib
import random

from cosec.training.settings import HardeningSettings


def epoch_batches(example_count: int, *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffle the examples of one epoch and cut them into batches; the last one may be smaller.

    The order depends on seed and epoch alone, not on the number of processes.
    """
    order = list(range(example_count))
    random.Random(f"order/{seed}/{epoch}").shuffle(order)
    return [order[start : start + batch_size] for start in range(0, example_count, batch_size)]


def total_steps(example_count: int, settings: HardeningSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = settings.epochs * -(-example_count // settings.batch_size)
    return min(steps, settings.max_steps) if settings.max_steps else steps


def learning_rate(step: int, steps: int, settings: HardeningSettings) -> float:
    """Learning rate of optimizer step ``step`` (the first is 0) out of ``steps``.

    Linear warm-up from 0 to the peak, then a linear fall to 0 at the end, or constant.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * max(steps - step, 0) / max(steps - settings.warmup_steps, 1)


def dropout_seed(seed: int, epoch: int, position: int) -> int:
    """Seed of the dropout of the example at ``position`` of an epoch's order.

    One stream per example makes the random state of a run a function of where it stands: a resumed run, and a run on
    another number of processes, draw the same dropout.
    """
    return int.from_bytes(hashlib.sha256(f"dropout/{seed}/{epoch}/{position}".encode()).digest()[:8], "big") >> 1
