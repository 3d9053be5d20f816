"""How many tokens to draft before the target looks: fixed, or chosen at run time from what was measured.

The draft length changes the speed and never the text, so it may follow the clock. Tokens per second at draft length k
are ``(1 + alpha + … + alpha^(k-1)) / (k·d + t(k))`` with acceptance alpha, drafting step d and verification time t(k).
"""

from __future__ import annotations

from collections import defaultdict, deque
from statistics import median
from typing import Literal, Protocol, runtime_checkable

_WARM_UP_BLOCKS = 2
_PROBES = (1, 1, 1, 4, 4, 4)
"""Draft lengths tried first, after the warm-up blocks, to learn d, t(1) and t(4)."""
_LONGEST = 8
_MEMORY = 16
"""Blocks of one length whose times are remembered."""
_LEAST_GAIN = 1.05
"""A longer draft must promise this much more speed than k = 1."""
_LEAST_SECONDS = 1e-9
"""A block takes at least this long, whatever a coarse clock says."""


@runtime_checkable
class DraftLength(Protocol):
    """Chooses the length of the next draft."""

    def next(self) -> int:
        """Tokens to draft in the next block, at least 1."""
        ...

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Learn from a finished block: proposals judged and accepted over its rows, and where its time went."""
        ...


class FixedDraftLength:
    """Always the same length."""

    def __init__(self, k: int) -> None:
        self._k = k

    def next(self) -> int:
        """The fixed length."""
        return self._k

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Nothing to learn."""


class AutoDraftLength:
    """The length with the highest expected speed by what this run measured so far."""

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
        """The acceptance alpha measured over the recent blocks."""
        return self._accepted / self._judged

    def next(self) -> int:
        """The probe that is due, or else the fastest length."""
        if self._blocks < _WARM_UP_BLOCKS:
            return 1
        probe = self._blocks - _WARM_UP_BLOCKS
        return _PROBES[probe] if probe < len(_PROBES) else self._fastest()

    def observe(
        self, k: int, *, rows: int, accepted: int, judged: int, draft_seconds: float, target_seconds: float
    ) -> None:
        """Learn from a finished block; a batch that halved or doubled is measured afresh."""
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
        if not longer:  # the probes were cut short, as the completions ended first
            return max(_PROBES)
        # A pass over k tokens costs what it measured, or lies on the line through the nearest longer measurement.
        slope = max(0.0, min((passes[k] - alone) / (k - 1) for k in longer))
        speeds = {}
        for k in range(1, _LONGEST + 1):
            expected = sum(self.acceptance**index for index in range(k))
            seconds = k * step + passes.get(k, alone + slope * (k - 1))
            speeds[k] = expected / max(seconds, _LEAST_SECONDS)
        best = max(speeds, key=speeds.__getitem__)
        return best if speeds[best] > _LEAST_GAIN * speeds[1] else 1


def draft_length_for(setting: int | Literal["auto"], longest: int) -> DraftLength:
    """The chooser for a setting, within what the lanes can draft: the target alone takes single tokens."""
    if setting == "auto":
        return AutoDraftLength() if longest > 1 else FixedDraftLength(1)
    return FixedDraftLength(min(setting, longest))
