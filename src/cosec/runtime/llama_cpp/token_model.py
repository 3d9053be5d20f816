"""A GGUF model as a ``TokenModel``: each row is a sequence of a llama.cpp context.

All batches of a model live in one context. So joining batches moves nothing, and copies of a row share its cells.

Axes: rows = sequences, new = tokens fed by one call, vocab = entries that both models of a pair share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.context import Sequence as CellSequence


@dataclass(slots=True, eq=False)
class LlamaTokenModel:
    """A context, and the sequences of it that form this batch."""

    context: Context
    """The model with its store of keys and values, which all batches share."""

    vocabulary_size: int
    """Number of logits that are returned; a model's further logits belong to no token."""

    rows: list[CellSequence] = field(default_factory=list)
    """The batch's sequences, in order."""

    unfed: tuple[int, ...] = ()
    """Tokens that every row is still to be fed, with its next ones."""

    @property
    def row_count(self) -> int:
        """Number of rows in the batch; 0 before ``prefill``."""
        return len(self.rows)

    def prefill(self, prompts: Sequence[Sequence[int]]) -> LlamaTokenModel:
        """Start a batch with one row for each prompt; each prompt is fed alone, so that none depends on another."""
        rows = []
        for prompt in prompts:
            row = self.context.begin()
            if prompt:
                self.context.feed([row], np.array([list(prompt)], dtype=np.int32), scored=0)
            rows.append(row)
        return LlamaTokenModel(self.context, self.vocabulary_size, rows)

    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        """Feed tokens to every row; the float32 logits after each of them, on the CPU."""
        fed = tokens.cpu().numpy().astype(np.int32)
        scored = fed.shape[1]
        waiting, self.unfed = self.unfed, ()
        if waiting:
            fed = np.concatenate([np.tile(np.array(waiting, dtype=np.int32), (len(self.rows), 1)), fed], axis=1)
        return self.context.feed(self.rows, fed, scored)[..., : self.vocabulary_size]

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row."""
        for row, count in zip(self.rows, dropped, strict=True):
            self.context.shorten(row, count)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; copies of a row share the cells it has so far."""
        self.feed(())
        chosen: list[CellSequence] = []
        taken: set[int] = set()
        for row in rows:
            known = self.rows[row]
            chosen.append(self.context.copy(known, known.length) if row in taken else known)
            taken.add(row)
        self.rows = chosen

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row without scoring them; ``later``: in one pass with the next ones."""
        token_ids, self.unfed = (*self.unfed, *token_ids), ()
        if later:
            self.unfed = token_ids
        elif token_ids and self.rows:
            tokens = np.tile(np.array(token_ids, dtype=np.int32), (len(self.rows), 1))
            self.context.feed(self.rows, tokens, scored=0)

    def join(self, newcomers: Sequence[LlamaTokenModel]) -> None:
        """Append the rows of other batches of this model, in order; the others are used up."""
        for one in (self, *newcomers):
            one.feed(())
        for one in newcomers:
            self.rows += one.rows
            one.rows = []

    def fork(self, kept: int) -> LlamaTokenModel:
        """Copy the batch as it was after the first ``kept`` tokens of each row; both share the cells."""
        self.feed(())
        rows = [self.context.copy(row, kept) for row in self.rows]
        return LlamaTokenModel(self.context, self.vocabulary_size, rows)
