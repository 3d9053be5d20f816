"""Which examples make which step, and at which learning rate.

Pure functions of the settings, so that a resumed run repeats them.
"""

import hashlib
import math
import random
from collections.abc import Sequence

from cosec.training.settings import TrainingSettings

POOL = 50
"""Batches whose examples are sorted by length before they are cut apart."""


def epoch_batches(lengths: Sequence[int], *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Shuffle the examples of one epoch and cut them into batches of similar length; one of them may be smaller.

    Processes that share a batch wait for its longest example, so each pool of ``POOL`` shuffled batches is sorted by
    length, cut, and the batches of the epoch are shuffled again. The order depends on lengths, seed and epoch alone,
    not on the number of processes.

    Args:
        lengths: Tokens of each example of the epoch.
        batch_size: Examples of a batch.
        seed: Of the run.
        epoch: The first is 0.

    Returns:
        Indices into ``lengths``, each exactly once.
    """
    stream = random.Random(f"order/{seed}/{epoch}")
    order = list(range(len(lengths)))
    stream.shuffle(order)
    batches = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size], key=lambda index: lengths[index])
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    stream.shuffle(batches)
    return batches


def total_steps(example_count: int, settings: TrainingSettings) -> int:
    """Optimizer steps of the whole run."""
    steps = settings.epochs * -(-example_count // settings.batch_size)
    return min(steps, settings.max_steps) if settings.max_steps else steps


def learning_rate(step: int, steps: int, settings: TrainingSettings) -> float:
    """Learning rate of optimizer step ``step`` (the first is 0) out of ``steps``.

    Linear warm-up from 0 to the peak, then a fall to 0 at the end, along a line or half a cosine, or constant.
    """
    if step < settings.warmup_steps:
        return settings.learning_rate * step / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.learning_rate
    left = max(steps - step, 0) / max(steps - settings.warmup_steps, 1)
    if settings.schedule == "cosine":
        return settings.learning_rate * (1 - math.cos(math.pi * left)) / 2
    return settings.learning_rate * left


def dropout_seed(seed: int, epoch: int, position: int) -> int:
    """Seed of the dropout of the example at ``position`` of an epoch's order.

    One stream per example makes the random state of a run a function of where it stands: a resumed run, and a run on
    another number of processes, draw the same dropout.
    """
    return int.from_bytes(hashlib.sha256(f"dropout/{seed}/{epoch}/{position}".encode()).digest()[:8], "big") >> 1
