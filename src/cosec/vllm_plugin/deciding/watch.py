"""What a worker notes of the drafts it verifies while the start-up check runs."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from cosec.vllm_plugin.deciding.decision import NO_TOKEN, DraftedRows


@dataclass(slots=True)
class Watch:
    """What a worker notes of the drafts it verifies."""

    tokens: int = 0
    """Number of tokens that were emitted."""

    scores: dict[str, list[float]] | None = None
    """Raw log-probabilities at the first output position of one request: ``target``, ``security`` and ``base``."""

    def note(
        self, rows: DraftedRows, target_log_probs: Float[Tensor, "rows k vocab"], decided: Int[Tensor, "rows k"]
    ) -> None:
        """Note one step."""
        self.tokens += int((decided != NO_TOKEN).sum())
        if self.scores is None and 0 in rows.first:
            row = list(rows.first).index(0)
            base = target_log_probs if rows.base_log_probs is None else rows.base_log_probs
            both = {"target": target_log_probs, "security": rows.security_log_probs, "base": base}
            self.scores = {name: one[row, 0].tolist() for name, one in both.items()}
