"""Scripted models: distributions that depend on the whole prefix and are known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Log:
    """What a scripted model and every batch prefilled from it were asked to do."""

    prefilled: list[list[int]] = field(default_factory=list)
    passes: int = 0
    fed: int = 0
    """Tokens fed after the prefill, over all rows."""


class ScriptedModel:
    """A model whose logits are a fixed function of the last ``order`` tokens it remembers."""

    def __init__(self, table: Tensor, rows: list[list[int]] | None = None, log: Log | None = None) -> None:
        """``table`` has shape (vocab,) * order + (vocab,): the logits after each run of tokens."""
        self.table = table
        self.rows = rows or []
        self.log = log or Log()

    @property
    def row_count(self) -> int:
        return len(self.rows)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> ScriptedModel:
        self.log.prefilled.extend(list(prompt) for prompt in prompts)
        return ScriptedModel(self.table, [list(prompt) for prompt in prompts], self.log)

    def logits_after(self, prefix: Sequence[int]) -> Tensor:
        order = self.table.dim() - 1
        padded = [0] * order + list(prefix)
        return self.table[tuple(padded[len(padded) - order :])] if order else self.table

    def advance(self, tokens: Tensor) -> Tensor:
        self.log.passes += 1
        self.log.fed += tokens.numel()
        order = self.table.dim() - 1
        columns = []
        for step in range(tokens.shape[1]):
            for row, token in zip(self.rows, tokens[:, step].tolist(), strict=True):
                row.append(token)
            tails = torch.tensor([([0] * order + row)[len(row) :] for row in self.rows]).reshape(len(self.rows), order)
            columns.append(self.table[tuple(tails.T)] if order else self.table.expand(len(self.rows), -1))
        return torch.stack(columns, dim=1)

    def rollback(self, dropped: Sequence[int]) -> None:
        for row, count in zip(self.rows, dropped, strict=True):
            if count:
                del row[-count:]

    def select(self, rows: Sequence[int]) -> None:
        self.rows = [list(self.rows[row]) for row in rows]


def random_table(vocabulary: int, order: int, seed: int, scale: float = 1.5) -> Tensor:
    """Logits for every run of ``order`` tokens."""
    return torch.randn([vocabulary] * (order + 1), generator=torch.Generator().manual_seed(seed)) * scale
