"""Prompts that several rows share: their keys and values are kept, and read, once for all rows.

On a processor a decoding step over many samples of one prompt mostly waits for memory, and the prompt's keys and
values are the largest part of what it reads beside the weights. Here the rows of one prompt form a *group*: attention
over the prompt is one product for the whole group, attention over what each row generated is as ever, and one softmax
spans both. Prompts may differ in length and lie in ``prefix_storage.py``.

Axes: rows = sequences, groups = distinct prompts, most = rows of the largest group, slots = places of the prompt's
cache, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from cosec.runtime.torch.kv_cache.prefix_storage import PrefixStorage, evened

ATTENTION = "cosec_shared_prefix"
_MARK = "_cosec_shared_prefix"
"""Attribute by which a layer's keys carry their prefix from the cache to the attention."""


class SharedPrefix:
    """The prompts of a batch, each kept once."""

    def __init__(self, storage: PrefixStorage, groups: Sequence[int]) -> None:
        """Rows with the place of each row's prompt."""
        self._storage = storage
        self._groups = list(groups)
        self._plan()

    def _plan(self) -> None:
        used, names = self._storage.used(), self._storage.names
        self.keys = [keys for keys, _ in used]
        """Of each layer, shape (groups, heads, slots, width)."""
        self.values = [values for _, values in used]
        device = self.keys[0].device if used else None
        members: list[list[int]] = [[] for _ in names]
        places = []
        for row, group in enumerate(self._groups):
            places.append((group, len(members[group])))
            members[group].append(row)
        most = max(map(len, members), default=0)
        filled = [rows + [0] * (most - len(rows)) for rows in members]
        # Rows of each group, filled up with any row of the batch, shape (groups, most).
        self._padded = torch.tensor(filled, dtype=torch.long, device=device)
        # Where each row stands in it, flattened.
        flat = [group * most + place for group, place in places]
        self._places = torch.tensor(flat, device=device, dtype=torch.long)
        # Whether the rows lie there as they do in the batch, so that nothing has to be picked.
        self._in_order = flat == list(range(len(names) * most))
        lengths = [len(names[group][0]) for group in self._groups]
        self.row_lengths = torch.tensor(lengths, dtype=torch.long, device=device)
        """Tokens of each row's prompt, shape (rows,)."""
        slots = self._storage.slots
        # Slots that each row may not see, shape (rows, 1, 1, slots); None where there are none.
        self._holes = None
        if lengths and min(lengths) < slots:
            self._holes = (torch.arange(slots, device=device) >= self.row_lengths.unsqueeze(1))[:, None, None]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; prompts without rows are let go."""
        groups = [self._groups[row] for row in rows]
        places = self._storage.keep(sorted(set(groups)))
        self._groups = [places[group] for group in groups]
        self._plan()

    @classmethod
    def joined(cls, parts: Sequence[tuple[SharedPrefix | None, int]]) -> SharedPrefix | None:
        """The prompts of several batches, given with their row counts; rows of a batch without any get an empty one.

        The first batch's prompts stay where they are. A prompt that several of them have is kept once, unless that
        would make its group much larger than the others.
        """
        if all(prefix is None for prefix, _ in parts):
            return None
        whole, *others = [prefix or _without_prompts(rows) for prefix, rows in parts]
        place_of = {name: place for place, name in enumerate(whole._storage.names)}
        count, groups = len(whole._storage.names), list(whole._groups)
        newcomers: list[tuple[PrefixStorage, int]] = []
        for other in others:
            for place, name in enumerate(other._storage.names):
                if name not in place_of:
                    place_of[name] = count + len(newcomers)
                    newcomers.append((other._storage, place))
            groups += [place_of[other._storage.names[group]] for group in other._groups]
        whole._groups, copies = evened(groups, count + len(newcomers))
        for place in copies:
            newcomers.append((whole._storage, place) if place < count else newcomers[place - count])
        if newcomers:
            whole._storage.hold(newcomers)
        whole._plan()
        return whole

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
        picked = rows.reshape(*self._padded.shape, *rows.shape[1:]) if self._in_order else rows[self._padded]
        return picked.transpose(1, 2).flatten(2, 3)

    def _per_row(self, grouped: Tensor, queries: int) -> Tensor:
        """Back from ``_per_group``."""
        groups, heads, _, last = grouped.shape
        split = grouped.view(groups, heads, self._padded.shape[1], queries, last).transpose(1, 2)
        rows = split.flatten(0, 1)
        return rows if self._in_order else rows[self._places]


def _without_prompts(rows: int) -> SharedPrefix:
    """Rows that were fed nothing, and no place where there are none."""
    return SharedPrefix(PrefixStorage([], [((), 0)] if rows else []), [0] * rows)


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
