"""Prompts that several rows share: their keys and values are kept, and read, once for all rows.

On a processor a decoding step over many samples of one prompt mostly waits for memory, and the prompt's keys and
values are the largest part of what it reads beside the weights. Here the rows of one prompt form a *group*: attention
over the prompt is one product for the whole group, attention over what each row generated is as ever, and one softmax
spans both.

Axes: rows = sequences, groups = distinct prompts, most = rows of the largest group, slots = places of the prompt's
cache, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "cosec_shared_prefix"
_MARK = "_cosec_shared_prefix"
"""Attribute by which a layer's keys carry their prefix from the cache to the attention."""
_LEAST_SHARING = 2
"""Rows per prompt, on average, from which on sharing pays."""


@dataclass(slots=True)
class SharedPrefix:
    """The prompts of a batch, each kept once."""

    keys: list[Tensor]
    """Of each layer, shape (groups, heads, slots, width)."""

    values: list[Tensor]

    occupied: Tensor
    """Which slots hold a token, shape (groups, slots)."""

    groups: list[int]
    """The group of each row."""

    _padded: Tensor = field(init=False)
    """Rows of each group, filled up with any row of the batch, shape (groups, most)."""
    _places: Tensor = field(init=False)
    """Where each row stands in ``_padded``, flattened."""
    _holes: Tensor | None = field(init=False)
    """Slots that each row may not see, shape (rows, 1, 1, slots); None where there are none."""
    row_lengths: Tensor = field(init=False)
    """Tokens of each row's prompt, shape (rows,)."""

    def __post_init__(self) -> None:
        self._plan()

    def _plan(self) -> None:
        device = self.occupied.device
        members: list[list[int]] = [[] for _ in range(self.occupied.shape[0])]
        places = []
        for row, group in enumerate(self.groups):
            places.append((group, len(members[group])))
            members[group].append(row)
        most = max(map(len, members), default=0)
        filled = [rows + [0] * (most - len(rows)) for rows in members]
        self._padded = torch.tensor(filled, dtype=torch.long, device=device)
        self._places = torch.tensor([group * most + place for group, place in places], device=device, dtype=torch.long)
        index = torch.tensor(self.groups, dtype=torch.long, device=device)
        self.row_lengths = self.occupied.sum(dim=1)[index]
        self._holes = None if bool(self.occupied.all()) else ~self.occupied[index][:, None, None]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; prompts without rows are let go."""
        groups = [self.groups[row] for row in rows]
        used = sorted(set(groups))
        if len(used) < self.occupied.shape[0]:
            index = torch.tensor(used, dtype=torch.long, device=self.occupied.device)
            occupied = self.occupied[index]
            # Prompts are right-aligned: slots that only the prompts let go had used lie in front.
            first = int((occupied.any(dim=0).cumsum(dim=0) == 0).sum())
            self.occupied = occupied[:, first:]
            self.keys = [one[index, :, first:] for one in self.keys]
            self.values = [one[index, :, first:] for one in self.values]
            groups = [used.index(group) for group in groups]
        self.groups = groups
        self._plan()

    @classmethod
    def joined(cls, parts: Sequence[tuple[SharedPrefix | None, int]]) -> SharedPrefix | None:
        """The prompts of several batches, given with their row counts; rows of a batch without any get an empty one."""
        known = [prefix for prefix, _ in parts if prefix is not None]
        if not known:
            return None
        slots = max(prefix.occupied.shape[1] for prefix in known)
        pieces, groups, count = [], [], 0
        for prefix, rows in parts:
            piece = prefix or _empty_like(known[0])
            pieces.append(piece)
            groups += [count + group for group in (piece.groups or [0] * rows)]
            count += piece.occupied.shape[0]
        return cls(
            keys=[
                torch.cat([_left_padded(one.keys[layer], 2, slots) for one in pieces])
                for layer in range(len(known[0].keys))
            ],
            values=[
                torch.cat([_left_padded(one.values[layer], 2, slots) for one in pieces])
                for layer in range(len(known[0].keys))
            ],
            occupied=torch.cat([_left_padded(one.occupied, 1, slots) for one in pieces]),
            groups=groups,
        )

    def scores(self, folded: Tensor, layer: int) -> Tensor:
        """Products of queries with the prompts' keys.

        Args:
            folded: Queries, shape (rows, key heads, queries of a key head, width).
            layer: Which layer.

        Returns:
            Shape (rows, key heads, queries of a key head, slots); minus infinity where a row's prompt has no token.
        """
        scores = self._per_row(self._per_group(folded) @ self.keys[layer].transpose(-1, -2), folded.shape[2])
        return scores if self._holes is None else scores.masked_fill(self._holes, -torch.inf)

    def mixed(self, weights: Tensor, layer: int) -> Tensor:
        """The prompts' values mixed by attention weights shaped as ``scores``; shaped as the queries."""
        return self._per_row(self._per_group(weights) @ self.values[layer], weights.shape[2])

    def _per_group(self, rows: Tensor) -> Tensor:
        """(rows, heads, queries, last) as (groups, heads, most * queries, last)."""
        return rows[self._padded].transpose(1, 2).flatten(2, 3)

    def _per_row(self, grouped: Tensor, queries: int) -> Tensor:
        """Back from ``_per_group``."""
        groups, heads, _, last = grouped.shape
        split = grouped.view(groups, heads, self._padded.shape[1], queries, last).transpose(1, 2)
        return split.flatten(0, 1)[self._places]


def _empty_like(prefix: SharedPrefix) -> SharedPrefix:
    """One prompt of no tokens, and no rows yet."""
    return SharedPrefix(
        keys=[one[:1, :, :0] for one in prefix.keys],
        values=[one[:1, :, :0] for one in prefix.values],
        occupied=prefix.occupied[:1, :0],
        groups=[],
    )


def _left_padded(tensor: Tensor, dim: int, size: int) -> Tensor:
    """``tensor`` with zeros before it along ``dim`` up to ``size``."""
    shape = list(tensor.shape)
    shape[dim] = size - tensor.shape[dim]
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim) if shape[dim] else tensor


def worth_sharing(rows: Sequence[int]) -> bool:
    """Whether rows named several times name each other often enough."""
    return len(rows) >= _LEAST_SHARING * max(1, len(set(rows)))


def carry(keys: Tensor, prefix: SharedPrefix, layer: int) -> Tensor:
    """Mark a layer's own keys with the prefix that lies before them, for the attention to find."""
    setattr(keys, _MARK, (prefix, layer))
    return keys


def attend_to_prefixes(model: PreTrainedModel) -> bool:
    """Let a model's attention read shared prefixes; without one it computes what it did before.

    Returns:
        False where the model is not on a processor, or where its architecture does not take attention from outside.
    """
    if not getattr(model, "_supports_attention_backend", False) or model.device.type != "cpu":
        return False
    if model.config._attn_implementation not in ("sdpa", ATTENTION):
        return False
    model.config._attn_implementation = ATTENTION
    return True


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of transformers' interface: heads before positions in, positions before heads out."""
    mark = getattr(key, _MARK, None)
    if mark is None:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return output, None
    prefix, layer = mark
    rows, heads, new, width = query.shape
    key_heads, slots = key.shape[1], key.shape[2]
    folded = (query * (width**-0.5 if scaling is None else scaling)).reshape(rows, key_heads, -1, width)
    own = folded @ key.transpose(-1, -2)
    if attention_mask is None and new > 1:
        attention_mask = torch.ones(new, slots, dtype=torch.bool, device=query.device).tril(slots - new)[None, None]
    if attention_mask is not None:
        # A key head's queries are its heads' new tokens, one head after the other.
        per_head = own.view(rows, key_heads, heads // key_heads, new, slots)
        own = per_head.masked_fill(~attention_mask.unsqueeze(2), -torch.inf).view_as(own)
    both = torch.cat([prefix.scores(folded, layer), own], dim=-1)
    weights = both.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
    before = weights.shape[-1] - slots
    mixed = prefix.mixed(weights[..., :before], layer) + weights[..., before:] @ value
    return mixed.reshape(rows, heads, new, width).transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
