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

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        for row in self.rows:
            row.extend(token_ids)

    def join(self, newcomers: Sequence[ScriptedModel]) -> None:
        for one in newcomers:
            self.rows.extend(one.rows)

    def fork(self, kept: int) -> ScriptedModel:
        return ScriptedModel(self.table, [row[:kept] for row in self.rows], self.log)


class HalvesModel:
    """A batch of twice the rows: the leading half follows one table, the trailing half another.

    Lanes keep the leading half in reverse; what they feed to the two is compared here.
    """

    def __init__(self, leading: Tensor, trailing: Tensor) -> None:
        self.halves = [ScriptedModel(leading), ScriptedModel(trailing)]

    @property
    def row_count(self) -> int:
        return sum(half.row_count for half in self.halves)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> HalvesModel:
        middle = len(prompts) // 2
        assert list(prompts[:middle]) == list(prompts[middle:])
        batch = HalvesModel(self.halves[0].table, self.halves[1].table)
        batch.halves = [half.prefill(prompts[:middle]) for half in self.halves]
        return batch

    def advance(self, tokens: Tensor) -> Tensor:
        leading, trailing = tokens.chunk(2)
        assert torch.equal(leading.flip(0), trailing)
        return torch.cat([half.advance(part) for half, part in zip(self.halves, (leading, trailing), strict=True)])

    def rollback(self, dropped: Sequence[int]) -> None:
        middle = len(dropped) // 2
        assert list(dropped[:middle]) == list(reversed(dropped[middle:]))
        self.halves[0].rollback(dropped[:middle])
        self.halves[1].rollback(dropped[middle:])

    def select(self, rows: Sequence[int]) -> None:
        middle, count = len(rows) // 2, self.halves[0].row_count
        self.halves[0].select(rows[:middle])
        self.halves[1].select([row - count for row in rows[middle:]])

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        raise NotImplementedError("batches of halves are joined over real models only")

    def join(self, newcomers: Sequence[HalvesModel]) -> None:
        raise NotImplementedError("batches of halves are joined over real models only")

    def fork(self, kept: int) -> HalvesModel:
        raise NotImplementedError("batches of halves are joined over real models only")


def random_table(vocabulary: int, order: int, seed: int, scale: float = 1.5) -> Tensor:
    """Logits for every run of ``order`` tokens."""
    return torch.randn([vocabulary] * (order + 1), generator=torch.Generator().manual_seed(seed)) * scale
