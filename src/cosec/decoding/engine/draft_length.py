"""The draft length: how many tokens are drafted per block, fixed or chosen at run time from measurements.

The draft length changes the speed but never the text, so it may depend on the clock. The expected speed at draft
length k is ``(1 + alpha + … + alpha^(k-1)) / (k·d + t(k))`` tokens per second. Here alpha is the acceptance rate,
d the seconds of one drafting step, and t(k) the seconds of verifying k tokens.
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median
from typing import Literal, Protocol, runtime_checkable

_WARM_UP_BLOCKS = 2
_PROBES = (1, 1, 1, 4, 4, 4)
"""Draft lengths tried after the warm-up blocks, to measure d, t(1) and t(4)."""
_LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16)
"""Draft lengths to choose from: each is measured when it first looks fastest, so there are few."""
_LONGEST_OF_BATCH, _FEW_ROWS = 8, 2
"""Longest draft of more than a few rows; the scores of a whole draft are in memory at once."""
_MEMORY = 16
"""Number of times kept for each draft length."""
_LEAST_GAIN = 1.05
"""A longer draft is chosen only if its expected speed exceeds that of k = 1 by this factor."""
_LEAST_SECONDS = 1e-9
"""Lower bound of a block's time, for coarse clocks."""


@runtime_checkable
class DraftLength(Protocol):
    """Chooses the draft length of each block."""

    def next(self) -> int:
        """Number of tokens to draft in the next block, at least 1."""
        ...

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Record a finished block.

        Args:
            k: Its draft length.
            rows: Number of sequences.
            accepted: Accepted proposals over all rows.
            judged: Proposals over all rows, up to and including the first rejected one of each row.
            draft_seconds: Wall time of drafting.
            target_seconds: Wall time of the target's pass.
        """
        ...


class FixedDraftLength:
    """The same length for every block."""

    def __init__(self, k: int) -> None:
        self._k = k

    def next(self) -> int:
        """The fixed length."""
        return self._k

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Does nothing."""


class AutoDraftLength:
    """The draft length with the highest expected speed, from the times and acceptance measured so far."""

    def __init__(self) -> None:
        self._rows = 0
        self._forget()
        self._accepted = 1.0
        self._judged = 2.0

    def _forget(self) -> None:
        self._blocks = 0
        self._draft_steps: deque[float] = deque(maxlen=_MEMORY)
        self._target_passes: dict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_MEMORY))

    @property
    def acceptance(self) -> float:
        """The acceptance rate alpha over recent blocks."""
        return self._accepted / self._judged

    def next(self) -> int:
        """The next length to probe, or the fastest one once all have been probed."""
        if self._blocks < _WARM_UP_BLOCKS:
            return 1
        probe = self._blocks - _WARM_UP_BLOCKS
        return _PROBES[probe] if probe < len(_PROBES) else self._fastest()

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Record a finished block; measuring starts anew when the number of rows has halved or doubled."""
        if not self._rows // 2 < rows < self._rows * 2:
            self._rows = rows
            self._forget()
        self._blocks += 1
        if self._blocks > _WARM_UP_BLOCKS:
            self._draft_steps.append(draft_seconds / k)
            self._target_passes[k].append(target_seconds)
        self._accepted = 0.97 * self._accepted + accepted
        self._judged = 0.97 * self._judged + judged

    def _fastest(self) -> int:
        step = median(self._draft_steps)
        passes = {k: median(times) for k, times in self._target_passes.items()}
        alone = passes[1]
        longer = [k for k in passes if k > 1]
        if not longer:  # the completions ended before all lengths were probed
            return max(_PROBES)
        # The time of a pass over k tokens: as measured, or interpolated on the flattest line through a longer one.
        slope = max(0.0, min((passes[k] - alone) / (k - 1) for k in longer))
        speeds = {}
        for k in _LENGTHS:
            if k > _LONGEST_OF_BATCH and self._rows > _FEW_ROWS:
                break
            expected = sum(self.acceptance**index for index in range(k))
            seconds = k * step + passes.get(k, alone + slope * (k - 1))
            speeds[k] = expected / max(seconds, _LEAST_SECONDS)
        best = max(speeds, key=speeds.__getitem__)
        return best if speeds[best] > _LEAST_GAIN * speeds[1] else 1


def draft_length_for(setting: int | Literal["auto"], longest: int) -> DraftLength:
    """The chooser for a setting.

    Args:
        setting: A fixed length, or ``auto``.
        longest: The longest draft that the lanes support; 1 for a model that runs alone.
    """
    if setting == "auto":
        return AutoDraftLength() if longest > 1 else FixedDraftLength(1)
    return FixedDraftLength(min(setting, longest))
