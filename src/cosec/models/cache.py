"""A key-value cache whose rows can be rolled back, dropped and duplicated independently.

All rows share one axis of *slots* and are right-aligned on it: what was fed last sits in the last slots of every row.
A row that is shorter than the others, or that took back tokens which the others kept, has *holes*: slots that hold
stale keys and are masked out. Positions come from counting the occupied slots, so holes never shift a token. Holes
that every row shares are cut off, and a cache with many holes is compacted. Where rows are samples of one prompt, the
prompt may be kept once, before the slots of all of them (`shared_prefix`).

Axes: rows = sequences, slots = places in the cache, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from cosec.models.shared_prefix import SharedPrefix, carry, worth_sharing

_SPARE_HOLES = 64
"""Compact only when more slots than this (and an eighth of the row) are wasted."""


class _GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call] # transformers does not annotate its hooks
    """One layer's keys and values in storage with room to grow, so that a step writes one token, not all of them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers does not annotate it
        self.length = 0
        self.stored_keys: Tensor | None = None
        self.stored_values: Tensor | None = None
        self.prefix: tuple[SharedPrefix, int] | None = None
        """What lies before the stored slots, and which of its layers this is."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Add new keys and values of shape (rows, heads, new, width); all that are stored, the new ones included."""
        end = self.length + key_states.shape[2]
        self.stored_keys = _with_room(self.stored_keys, self.length, end, key_states)
        self.stored_values = _with_room(self.stored_values, self.length, end, value_states)
        self.stored_keys[:, :, self.length : end] = key_states
        self.stored_values[:, :, self.length : end] = value_states
        self.length, self.is_initialized = end, True
        keys = self.stored_keys[:, :, :end]
        return keys if self.prefix is None else carry(keys, *self.prefix), self.stored_values[:, :, :end]

    def get_seq_length(self) -> int:
        """Slots in use, for transformers' masks."""
        return self.length

    def transform(self, change: Callable[[Tensor], Tensor]) -> None:
        """Replace the used part of keys and values by what ``change`` makes of it."""
        if self.stored_keys is not None:
            keys, values = self.used()
            self.hold(change(keys), change(values))

    def used(self) -> tuple[Tensor, Tensor]:
        """The used part of keys and values."""
        assert self.stored_keys is not None, "nothing is stored yet"
        assert self.stored_values is not None, "nothing is stored yet"
        return self.stored_keys[:, :, : self.length], self.stored_values[:, :, : self.length]

    def clear(self) -> None:
        """Hold nothing."""
        self.stored_keys = self.stored_values = None
        self.length = 0

    def hold(self, keys: Tensor, values: Tensor) -> None:
        """Hold exactly these keys and values, shape (rows, heads, slots, head width)."""
        self.stored_keys, self.stored_values = keys, values
        self.length, self.is_initialized = keys.shape[2], True


def _with_room(stored: Tensor | None, length: int, end: int, example: Tensor) -> Tensor:
    """``stored``, or a copy with spare slots where it has fewer than ``end``."""
    if stored is not None and end <= stored.shape[2]:
        return stored
    rows, heads, _, width = example.shape
    # Half as much again: a larger store costs its copy and the first touch of every page.
    larger = example.new_empty(rows, heads, end + max(64, end // 2), width)
    if stored is not None:
        larger[:, :, :length] = stored[:, :, :length]
    return larger


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardInputs:
    """What a model's forward needs beside the token ids."""

    position_ids: Tensor
    """Place of each new token in its own row, shape (rows, new)."""

    attention_mask: Tensor | None
    """Which slots may be attended to, shape (rows, slots + new); None when no slot is a hole."""

    past_key_values: Cache
    """The cache that the forward extends in place."""


class KeyValueCache:
    """Keys and values of a batch of rows; see the module's docstring for the layout."""

    def __init__(
        self, layer_count: int, rows: int, device: torch.device | str = "cpu", *, shares_prefixes: bool = False
    ) -> None:
        """An empty cache; its model's attention must know shared prefixes where it ``shares_prefixes``."""
        self._layers = [_GrowingLayer() for _ in range(layer_count)]
        self._cache = Cache(layers=list(self._layers))
        self.occupied = torch.ones(rows, 0, dtype=torch.bool, device=device)
        """Which slots hold a token of the row, shape (rows, slots)."""
        self._shares_prefixes = shares_prefixes
        self._prefix: SharedPrefix | None = None
        self._lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._dense = True

    @property
    def rows(self) -> int:
        """How many sequences the cache holds."""
        return self.occupied.shape[0]

    @property
    def slots(self) -> int:
        """How many slots are in use, holes included; those of a shared prefix apart."""
        return self.occupied.shape[1]

    @property
    def lengths(self) -> Tensor:
        """Tokens each row remembers, shape (rows,)."""
        return self._lengths

    def extend(self, new: int) -> ForwardInputs:
        """Make room for ``new`` tokens in every row; the forward that gets the result fills it."""
        steps = torch.arange(new, device=self._lengths.device)
        position_ids = self._lengths.unsqueeze(1) + steps
        self.occupied = torch.cat([self.occupied, self.occupied.new_ones(self.rows, new)], dim=1)
        self._lengths = self._lengths + new
        return ForwardInputs(
            position_ids=position_ids,
            attention_mask=None if self._dense else self.occupied,
            past_key_values=self._cache,
        )

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row; all of them must come from the latest ``extend``."""
        common = min(dropped)
        if max(dropped) == 0:
            return
        kept_slots = self.slots - common
        self.occupied = self.occupied[:, :kept_slots].clone()
        for layer in self._layers:
            layer.length = kept_slots
        for row, count in enumerate(dropped):
            if count > common:
                self.occupied[row, kept_slots - (count - common) :] = False
                self._dense = False
        self._lengths = self._lengths - torch.tensor(list(dropped), device=self._lengths.device)
        longest = self._longest()
        if kept_slots - longest > max(_SPARE_HOLES, longest // 8):
            self._compact(longest)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        if self._prefix is None and self._shares_prefixes and self.slots and worth_sharing(rows):
            self._share()
        if self._prefix is not None:
            self._prefix.select(rows)
        index = torch.tensor(list(rows), dtype=torch.long, device=self.occupied.device)
        self.occupied, self._lengths = self.occupied[index], self._lengths[index]
        for layer in self._layers:
            layer.transform(lambda stored: stored[index])
        if len(rows) and not self._dense:
            self._compact(self._longest())

    def _longest(self) -> int:
        """Most tokens of a row, those of a shared prefix apart."""
        before = 0 if self._prefix is None else self._prefix.row_lengths
        return int((self._lengths - before).max())

    def _share(self) -> None:
        """Make what every row holds its prefix; the rows then begin with no slots of their own."""
        keys, values = zip(*(layer.used() for layer in self._layers), strict=True)
        self._follow(SharedPrefix(list(keys), list(values), self.occupied, list(range(self.rows))))
        self.occupied, self._dense = self.occupied[:, :0], True
        for layer in self._layers:
            layer.clear()

    def _follow(self, prefix: SharedPrefix | None) -> None:
        self._prefix = prefix
        for index, layer in enumerate(self._layers):
            layer.prefix = None if prefix is None else (prefix, index)

    def _compact(self, slots: int) -> None:
        """Right-align every row's tokens in ``slots`` slots (at least the longest row's length)."""
        order = self.occupied.int().argsort(dim=1, stable=True)[:, self.slots - slots :]
        self.occupied = self.occupied.gather(1, order)
        self._dense = bool(self.occupied.all())
        for layer in self._layers:
            layer.transform(lambda stored: _take_slots(stored, order))

    def prefix(self, kept: int) -> KeyValueCache:
        """A copy that holds the first ``kept`` tokens of each row; the rows must be free of holes."""
        assert self._dense, "rows with holes do not share their first slots"
        assert self._prefix is None, "what lies in a shared prefix is not in the slots"
        copy = KeyValueCache(len(self._layers), self.rows, self.occupied.device, shares_prefixes=self._shares_prefixes)
        copy.occupied = self.occupied[:, :kept].clone()
        copy._lengths = torch.full_like(self._lengths, kept)
        for layer, source in zip(copy._layers, self._layers, strict=True):
            if kept and source.stored_keys is not None and source.stored_values is not None:
                layer.hold(source.stored_keys[:, :, :kept].clone(), source.stored_values[:, :, :kept].clone())
        return copy

    @classmethod
    def joined(cls, parts: Sequence[KeyValueCache]) -> KeyValueCache:
        """One cache with the rows of all ``parts``, one after the other."""
        if len(parts) == 1:
            return parts[0]
        device = parts[0].occupied.device
        whole = cls(len(parts[0]._layers), 0, device, shares_prefixes=parts[0]._shares_prefixes)
        whole._follow(SharedPrefix.joined([(part._prefix, part.rows) for part in parts]))
        slots = max(part.slots for part in parts)
        whole._lengths = torch.cat([part._lengths for part in parts])
        whole.occupied = torch.cat([_left_padded(part.occupied, 1, slots) for part in parts])
        whole._dense = bool(whole.occupied.all())
        for index, layer in enumerate(whole._layers):
            pieces = [(part._layers[index], part.rows) for part in parts]
            used = [piece for piece, _ in pieces if piece.stored_keys is not None]
            if used:
                keys = [
                    _padded_slots(piece.stored_keys, piece.length, used[0].stored_keys, rows, slots)
                    for piece, rows in pieces
                ]
                values = [
                    _padded_slots(piece.stored_values, piece.length, used[0].stored_values, rows, slots)
                    for piece, rows in pieces
                ]
                layer.hold(torch.cat(keys), torch.cat(values))
        return whole


def _take_slots(stored: Tensor, order: Tensor) -> Tensor:
    """Gather slots per row: ``stored`` is (rows, heads, slots, width), ``order`` is (rows, kept)."""
    rows = torch.arange(order.shape[0], device=order.device).unsqueeze(1)
    return stored.transpose(1, 2)[rows, order].transpose(1, 2).contiguous()


def _left_padded(tensor: Tensor, dim: int, size: int) -> Tensor:
    """``tensor`` with zeros before it along ``dim`` up to ``size``."""
    missing = size - tensor.shape[dim]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)


def _padded_slots(stored: Tensor | None, length: int, example: Tensor | None, rows: int, slots: int) -> Tensor:
    """One part's keys or values, padded to ``slots``; a part that never ran gives zeros."""
    if stored is not None:
        return _left_padded(stored[:, :, :length], 2, slots)
    assert example is not None, "at least one part ran"
    return example.new_zeros(rows, example.shape[1], slots, example.shape[3])
