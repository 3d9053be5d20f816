"""Prompts that several rows share: keys and values are kept, and read, once for all rows of a prompt.

On a CPU, a decoding step over many samples of one prompt mostly waits for memory. Beside the weights, the prompt's keys
and values are most of what it reads. Here the rows of one prompt form a *group*. Attention over the prompt is one
product for the whole group, attention over a row's own tokens is computed as usual, and one softmax spans both. Prompts
may differ in length. ``prefix_storage.py`` holds them.

Axes: rows = sequences, groups = distinct prompts, most = rows of the largest group, slots = positions of the longest
prompt, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from cosec.models.internals import attention_of, set_attention, takes_registered_attention
from cosec.runtime.torch.kv_cache.prefix_storage import PrefixStorage, balance_groups

ATTENTION = "cosec_shared_prefix"
"""Name under which transformers knows the attention that reads shared prompts."""

_MARK = "_cosec_shared_prefix"
"""Attribute by which a layer's keys carry their prefix from the cache to the attention."""


class SharedPrefix:
    """The prompts of a batch, each kept once."""

    def __init__(self, storage: PrefixStorage, groups: Sequence[int]) -> None:
        """Put prompts before rows.

        Args:
            storage: The prompts.
            groups: For each row the place of its prompt in the storage.
        """
        self._storage = storage
        self._groups = list(groups)
        self.unread = 0
        """Layers whose keys carry this prefix and whose attention has not read it yet."""
        self._plan()

    def _plan(self) -> None:
        """Work out how rows and groups map onto each other."""
        used, names = self._storage.used(), self._storage.names
        self.keys = [keys for keys, _ in used]
        """For each layer, shape (groups, heads, slots, width)."""
        self.values = [values for _, values in used]
        """For each layer, shape (groups, heads, slots, width)."""
        device = self.keys[0].device if used else None
        members: list[list[int]] = [[] for _ in names]
        places = []
        for row, group in enumerate(self._groups):
            places.append((group, len(members[group])))
            members[group].append(row)
        most = max(map(len, members), default=0)
        filled = [rows + [0] * (most - len(rows)) for rows in members]
        # Rows of each group, padded with row 0, shape (groups, most).
        self._padded = torch.tensor(filled, dtype=torch.long, device=device)
        # Where each row stands in the flattened table.
        flat = [group * most + place for group, place in places]
        self._places = torch.tensor(flat, device=device, dtype=torch.long)
        # Whether the table lists the rows as they are in the batch, so that no row has to be gathered.
        self._in_order = flat == list(range(len(names) * most))
        lengths = [len(names[group][0]) for group in self._groups]
        self.row_lengths = torch.tensor(lengths, dtype=torch.long, device=device)
        """Tokens of each row's prompt, shape (rows,)."""
        slots = self._storage.slots
        # Slots that each row may not attend to, shape (rows, 1, 1, slots); None where there are none.
        self._holes = None
        if lengths and min(lengths) < slots:
            self._holes = (torch.arange(slots, device=device) >= self.row_lengths.unsqueeze(1))[:, None, None]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; prompts without rows are dropped."""
        groups = [self._groups[row] for row in rows]
        places = self._storage.keep(sorted(set(groups)))
        self._groups = [places[group] for group in groups]
        self._plan()

    @classmethod
    def joined(cls, parts: Sequence[tuple[SharedPrefix | None, int]]) -> SharedPrefix | None:
        """Put the prompts of several batches together; the parts are used up.

        The first batch's prompts stay where they are. A prompt that several batches have is kept once, unless its
        group would become much larger than the others.

        Args:
            parts: The prefix of each batch and its number of rows. Rows without a prefix get an empty prompt.

        Returns:
            The prefix of all rows, in order; None if no batch has one.
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
        whole._groups, copies = balance_groups(groups, count + len(newcomers))
        for place in copies:
            newcomers.append((whole._storage, place) if place < count else newcomers[place - count])
        if newcomers:
            whole._storage.add(newcomers)
        whole._plan()
        return whole

    def scores(self, folded: Tensor, layer: int) -> Tensor:
        """Products of queries with the prompts' keys.

        Args:
            folded: Queries in float32, shape (rows, key heads, queries of a key head, width).
            layer: Index of the layer.

        Returns:
            Float32, shape (rows, key heads, queries of a key head, slots); minus infinity where a row's prompt has no
            token.
        """
        keys = self.keys[layer].float().transpose(-1, -2)
        scores = self._per_row(self._per_group(folded) @ keys, folded.shape[2])
        return scores if self._holes is None else scores.masked_fill(self._holes, -torch.inf)

    def mixed(self, weights: Tensor, layer: int) -> Tensor:
        """Sums of the prompts' values, weighted by attention.

        Args:
            weights: Shaped as ``scores`` returns them.
            layer: Index of the layer.

        Returns:
            Shape (rows, key heads, queries of a key head, width).
        """
        return self._per_row(self._per_group(weights) @ self.values[layer], weights.shape[2])

    def _per_group(self, rows: Tensor) -> Tensor:
        """Turn (rows, heads, queries, last) into (groups, heads, most * queries, last)."""
        picked = rows.reshape(*self._padded.shape, *rows.shape[1:]) if self._in_order else rows[self._padded]
        return picked.transpose(1, 2).flatten(2, 3)

    def _per_row(self, grouped: Tensor, queries: int) -> Tensor:
        """Undo ``_per_group``."""
        groups, heads, _, last = grouped.shape
        split = grouped.view(groups, heads, self._padded.shape[1], queries, last).transpose(1, 2)
        rows = split.flatten(0, 1)
        return rows if self._in_order else rows[self._places]


def _without_prompts(rows: int) -> SharedPrefix:
    """A prefix of rows with an empty prompt; without rows, it has no place either."""
    return SharedPrefix(PrefixStorage([], [((), 0)] if rows else []), [0] * rows)


def carry(keys: Tensor, prefix: SharedPrefix, layer: int) -> Tensor:
    """Mark a layer's own keys with the prefix before them, for the attention to find; returns the same tensor."""
    prefix.unread += 1
    setattr(keys, _MARK, (prefix, layer))
    return keys


def attend_to_prefixes(model: PreTrainedModel) -> bool:
    """Let a model's attention read shared prefixes; without one it computes what it did before.

    Returns:
        False where the model is not on a CPU, or its architecture does not call registered attention functions.
    """
    if not takes_registered_attention(model) or model.device.type != "cpu":
        return False
    if attention_of(model.config) not in ("sdpa", ATTENTION):
        return False
    set_attention(model, ATTENTION)
    return True


def reads_prefixes(model: PreTrainedModel) -> bool:
    """Whether ``attend_to_prefixes`` has prepared this model."""
    return attention_of(model.config) == ATTENTION


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it: heads before positions in, positions before heads out."""
    mark: tuple[SharedPrefix, int] | None = getattr(key, _MARK, None)
    if mark is None:
        output, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return output, None
    prefix, layer = mark
    prefix.unread -= 1
    rows, heads, new, width = query.shape
    key_heads, slots = key.shape[1], key.shape[2]
    # Some models have large biases of keys, and bfloat16 has no fractions above 128.
    folded = (query.float() * (width**-0.5 if scaling is None else scaling)).reshape(rows, key_heads, -1, width)
    own = folded @ key.float().transpose(-1, -2)
    if attention_mask is None and new > 1:
        attention_mask = torch.ones(new, slots, dtype=torch.bool, device=query.device).tril(slots - new)[None, None]
    if attention_mask is not None:
        # The queries of a key head are the new tokens of its first query head, then those of the next.
        per_head = own.view(rows, key_heads, heads // key_heads, new, slots)
        own = per_head.masked_fill(~attention_mask.unsqueeze(2), -torch.inf).view_as(own)
    both = torch.cat([prefix.scores(folded, layer), own], dim=-1)
    weights = both.softmax(dim=-1).to(query.dtype)
    before = weights.shape[-1] - slots
    mixed = prefix.mixed(weights[..., :before], layer) + weights[..., before:] @ value
    return mixed.reshape(rows, heads, new, width).transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
