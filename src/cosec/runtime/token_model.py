"""The interface between decoding and whatever runs a model: one batch of rows, fed step by step.

A *row* is a sequence that remembers the tokens it was fed. A *batch* is an ordered list of rows of one model. Decoding
depends on this interface only; ``cosec.runtime.torch`` implements it with transformers.

Every implementation keeps these promises:

- **Rows are independent.** The logits of a row depend on the tokens of that row alone, up to rounding.
- **A call changes its own batch only.** ``prefill`` and ``fork`` return new batches; ``join`` uses up its arguments.
- **Logits are lent.** What ``advance`` returns is valid until the next call on any batch of the same model.
  Callers copy what they keep, so an implementation may return a view of its own buffer.
- **One thread at a time** uses the batches of one model.

How memory is shared is the implementation's choice. Decoding makes samples of a prompt by naming its row several times
in ``select``, and keeps prompts by ``fork``; both are places where keys and values can be kept once.

A security model is a ``TokenModel`` too, either with weights of its own or as an adapter on another model's weights.
In a *paired* batch, the adapter acts on the leading half of the rows and the base model computes the other half.

Axes: rows = sequences, new = tokens fed by one call, vocab = the vocabulary that both models of a pair share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class TokenModel(Protocol):
    """A language model with a batch of rows that remember what they were fed."""

    @property
    def row_count(self) -> int:
        """Number of rows in the batch; 0 before ``prefill``."""
        ...

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Self:
        """Start a batch: one row for each prompt, in order, that was fed that prompt.

        The batch that the method is called on does not change.

        Args:
            prompts: Token ids of each prompt; a prompt may be empty.

        Returns:
            A new batch of the same model.
        """
        ...

    def advance(self, tokens: Int[Tensor, "rows new"]) -> Float[Tensor, "rows new vocab"]:
        """Feed tokens to every row and score the token after each of them.

        Args:
            tokens: As many for each row, at least one; on any device.

        Returns:
            Raw float32 logits, valid until the next call on a batch of the same model.
        """
        ...

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last tokens of each row.

        Args:
            dropped: How many tokens each row forgets. All of them must have been fed by ``advance`` since the last
                ``select``, ``join`` or ``feed``.
        """
        ...

    def select(self, rows: Sequence[int]) -> None:
        """Keep the given rows, in the given order, and drop all others.

        Args:
            rows: Indices of rows. A row that is named several times is copied; the copies then go their own ways.
                An empty list leaves a batch without rows, which other batches can join.
        """
        ...

    def feed(self, token_ids: Sequence[int], *, later: bool = False) -> None:
        """Feed the same tokens to every row without scoring them.

        Args:
            token_ids: Token ids, possibly none.
            later: Whether the tokens may wait and be fed in one pass with the next ones.
        """
        ...

    def join(self, newcomers: Sequence[Self]) -> None:
        """Append the rows of other batches, in order.

        Args:
            newcomers: Batches of the same model. They are used up: call no method on them afterwards.
        """
        ...

    def fork(self, kept: int) -> Self:
        """Copy the batch as it was after the first tokens of each row.

        The batch itself does not change, and the two are independent.

        Args:
            kept: How many tokens the rows of the copy remember; every row has been fed at least as many, and the rows
                were always fed equally many tokens and never rolled back by different numbers.
        """
        ...
