"""Storage of a cache's keys and values: blocks with spare rows and slots, of which one window is in use.

Rows that join are written into spare rows. When rows leave, only the few that must move to close the gap are copied. A
step writes one token. Everything is copied only when the spare places are used up. The storage does not know which
slots are holes.

Axes of keys and values: rows, heads, slots, head width.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from cosec.runtime.torch.kv_cache.shared_prefix import SharedPrefix, carry

_LEAST_SPARE_SLOTS = 128
_TOO_LONG = 4
"""An empty storage is given up when its slots are more than this many times those that are needed."""


class StoredLayer(DynamicLayer):  # type: ignore[no-untyped-call] # transformers does not annotate its hooks
    """Keys and values of one layer, as transformers' cache wants them; the storage knows which window is in use."""

    def __init__(self, storage: CacheStorage, index: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers does not annotate it
        # A reference cycle would keep unused memory until Python's garbage collector runs.
        self._storage: CacheStorage = weakref.proxy(storage)
        self._index = index
        self.filled = 0
        """The slot after the last one that holds a token in this layer."""
        self.stored: tuple[Tensor, Tensor] | None = None
        """Keys and values with their spare places; None before the first token."""
        self.prefix: tuple[SharedPrefix, int] | None = None
        """The shared prompts before the slots, and this layer's index in them."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store new keys and values; called by the model's forward.

        Args:
            key_states: Shape (rows, heads, new, width).
            value_states: Shape (rows, heads, new, width).
            *args: Ignored; transformers passes further arguments to some caches.
            **kwargs: Ignored.

        Returns:
            Views of all keys and values in use, shape (rows, heads, slots, width), with the new ones at the end.
        """
        window = self._storage
        if self.stored is None:
            self.allocate(key_states)
        start, self.filled, self.is_initialized = self.filled, self.filled + key_states.shape[2], True
        keys, values = self.in_rows(window.first_row, window.rows)
        keys[:, :, start : self.filled] = key_states
        values[:, :, start : self.filled] = value_states
        keys, values = keys[:, :, window.first_slot : self.filled], values[:, :, window.first_slot : self.filled]
        return keys if self.prefix is None else carry(keys, *self.prefix), values

    def get_seq_length(self) -> int:
        """Number of slots in use; transformers builds masks from it."""
        return self.filled - self._storage.first_slot

    def allocate(self, example: Tensor) -> None:
        """Take uninitialised memory for keys and values like ``example``, with the storage's capacity."""
        self.stored = self._storage.block(example, self._index)

    def in_rows(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Views of ``count`` rows from ``first`` on, with all their slots."""
        assert self.stored is not None, "nothing was stored yet"
        keys, values = self.stored
        return keys[first : first + count], values[first : first + count]

    def used(self) -> tuple[Tensor, Tensor]:
        """Views of the keys and values in the window."""
        window = self._storage
        keys, values = self.in_rows(window.first_row, window.rows)
        return keys[:, :, window.first_slot : self.filled], values[:, :, window.first_slot : self.filled]


class CacheStorage:
    """The storage of all layers, and the window in use, which is the same in every layer."""

    def __init__(self, layer_count: int, rows: int) -> None:
        """Make a storage without slots; memory is taken with the first token."""
        self.rows, self.first_row, self.row_capacity = rows, 0, rows
        """Rows of the window, the first of them, and rows that there is memory for."""
        self.first_slot, self.end, self.slot_capacity = 0, 0, 0
        """First slot of the window, the slot after its last, and slots that there is memory for."""
        self._was_joined = False
        # Others read this memory, so it must be copied before it is written to.
        self._is_borrowed = False
        self.layers = [StoredLayer(self, index) for index in range(layer_count)]
        self._pool: Tensor | None = None
        self.cache = Cache(layers=list(self.layers))
        """The same layers, as a model's forward takes them."""

    @property
    def slots(self) -> int:
        """Number of slots in the window."""
        return self.end - self.first_slot

    @property
    def is_filled(self) -> bool:
        """Whether every layer holds tokens up to the end of the window."""
        return all(layer.filled == self.end for layer in self.layers)

    def block(self, example: Tensor, layer: int) -> tuple[Tensor, Tensor]:
        """Take uninitialised memory of the present capacity for the keys and values of a layer.

        All layers share one block, which the system gets back as a whole. Blocks of a few megabytes would stay with
        the process and rarely fit the next request.

        Args:
            example: Keys of the layer, shape (rows, heads, any number of slots, width).
            layer: Index of the layer.
        """
        _, heads, _, width = example.shape
        shape = (2, self.row_capacity, heads, self.slot_capacity, width)
        if self._pool is None:
            self._pool = example.new_empty((len(self.layers), *shape))
        piece = self._pool[layer]
        # Layers may have keys of other sizes, or lie on another device.
        keys, values = piece if (piece.shape, piece.device) == (shape, example.device) else example.new_empty(shape)
        return keys, values

    def extend(self, new: int) -> None:
        """Add ``new`` slots at the end of the window; the next forward fills them."""
        if self.end + new > self.slot_capacity or self._is_borrowed:
            few = self.rows * 4 <= self.row_capacity
            if not few and not self._is_borrowed and self.slots + new <= self.slot_capacity * 3 // 4:
                self._shift_to_the_beginning()
            else:
                rows = _with_spare_rows(self.rows) if few else self.row_capacity
                self._move(rows, _with_spare_slots(self.slots + new))
        self.end += new

    def _shift_to_the_beginning(self) -> None:
        """Move the window to the first slot, over slots that were cut off before it."""
        slots = self.slots
        for layer in self.layers:
            for stored in () if layer.stored is None else layer.in_rows(self.first_row, self.rows):
                stored[:, :, :slots] = stored[:, :, self.first_slot : self.end].clone()
            layer.filled = slots
        self.first_slot, self.end = 0, slots

    def follow(self, prefix: SharedPrefix | None) -> None:
        """Let shared prompts precede the window; None: no prompts."""
        for index, layer in enumerate(self.layers):
            layer.prefix = None if prefix is None else (prefix, index)

    def cut(self, leading: int, trailing: int) -> None:
        """Drop slots at the beginning and at the end of the window."""
        self.first_slot += leading
        self.end -= trailing
        for layer in self.layers:
            layer.filled = self.end

    def take_slots(self, order: Tensor) -> None:
        """Keep the given slots of each row, in the given order.

        Args:
            order: Slots, counted from the window's first, shape (rows, kept).
        """
        self._move(self.row_capacity, _with_spare_slots(order.shape[1]), order=order)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; as many as possible stay where they are."""
        if not rows:
            self.rows = 0
            self.cut(self.slots, 0)
            return
        starts = Counter(self.first_row + row - place for place, row in enumerate(rows))
        fitting = (start for start, _ in starts.most_common() if 0 <= start <= self.row_capacity - len(rows))
        start = next(fitting, None)
        if start is None:
            self._move(len(rows), max(self.slot_capacity, _with_spare_slots(self.slots)), rows=rows)
            return
        moves = [
            (self.first_row + row, start + place)
            for place, row in enumerate(rows)
            if self.first_row + row != start + place
        ]
        if moves and self._is_borrowed:
            self._move(len(rows), self.slot_capacity, rows=rows)
            return
        if moves:
            sources, places = (list(column) for column in zip(*moves, strict=True))
            for layer in self.layers:
                for stored in layer.stored or ():
                    used = stored[:, :, self.first_slot : self.end]
                    used[places] = used[sources]  # the right side is a copy, so the two may overlap
        self.first_row, self.rows = start, len(rows)

    def join(self, newcomers: Sequence[CacheStorage]) -> tuple[int, int]:
        """Append copies of the rows of others; every row ends at the end of the window.

        Returns:
            Number of slots by which the window grew at its beginning and at its end.
        """
        total = self.rows + sum(one.rows for one in newcomers)
        longest = max(one.slots for one in newcomers)
        if not self.rows:
            self._start_again(total, longest)
        if self.first_row + total > self.row_capacity >= total:
            self._slide(self.row_capacity - total)
        if self.first_row + total > self.row_capacity or longest > self.slot_capacity or self._is_borrowed:
            rows = _with_spare_rows(total) if self._was_joined else total
            self._move(rows, max(self.slot_capacity, _with_spare_slots(max(longest, self.slots))), kept=total)
        self._was_joined = True
        before, after = self.first_slot, self.end
        self.end = max(self.end, longest)
        self.first_slot = min(self.first_slot, self.end - longest)
        row = self.first_row + self.rows
        starts = []
        for one in newcomers:
            starts.append((row, one.rows, self.end - one.slots))
            for layer, other in zip(self.layers, one.layers, strict=True):
                _write(layer, other, row, self.end - one.slots, self.end)
            row += one.rows
        # Every layer has memory by now, so holes can be cleared.
        for layer in self.layers:
            _clear(layer, self.first_row, self.rows, self.first_slot, before)
            _clear(layer, self.first_row, self.rows, after, self.end)
            for row, rows, start in starts:
                _clear(layer, row, rows, self.first_slot, start)
            layer.filled = self.end
            layer.is_initialized = layer.stored is not None
        self.rows = total
        return before - self.first_slot, self.end - after

    def _slide(self, first_row: int) -> None:
        """Move the rows of the window within the storage, so that ``first_row`` is the first."""
        if self._is_borrowed:
            return
        for layer in self.layers:
            if layer.stored is not None:
                for stored, used in zip(layer.in_rows(first_row, self.rows), layer.used(), strict=True):
                    stored[:, :, self.first_slot : self.end] = used.clone()
        self.first_row = first_row

    def _start_again(self, rows: int, slots: int) -> None:
        """Place the window for so many rows in a storage without rows; give its memory up if it is far too large."""
        if self.slot_capacity > _TOO_LONG * _with_spare_slots(slots):
            self.row_capacity, self.slot_capacity, self._pool = 0, 0, None
            for layer in self.layers:
                layer.stored = None
        self.first_row, self.first_slot, self.end = max(0, self.row_capacity - rows) // 2, 0, 0
        for layer in self.layers:
            layer.filled = 0

    def copy(self, slots: int) -> CacheStorage:
        """Copy the first slots of the window, without spare places, as many copies are only kept.

        The memory of a copy is never written to, so copies of the copy share it.
        """
        copy = CacheStorage(len(self.layers), self.rows)
        copy.end = copy.slot_capacity = slots
        for layer, source in zip(copy.layers, self.layers, strict=True):
            if slots and source.stored is not None:
                keys, values = (used[:, :, :slots] for used in source.used())
                if self._is_borrowed:
                    layer.stored = keys, values
                else:
                    layer.allocate(keys)
                    for stored, used in zip(layer.in_rows(0, self.rows), (keys, values), strict=True):
                        stored[:, :, :slots] = used
                layer.filled, layer.is_initialized = slots, True
        copy._is_borrowed = True
        return copy

    def _move(
        self,
        row_capacity: int,
        slot_capacity: int,
        *,
        rows: Sequence[int] | None = None,
        order: Tensor | None = None,
        kept: int | None = None,
    ) -> None:
        """Copy the window into new memory, to the middle of its rows and the beginning of its slots.

        Args:
            row_capacity: Rows of the new memory.
            slot_capacity: Slots of the new memory.
            rows: Rows to keep, in this order; None: all.
            order: Slots to keep of each row, shape (rows, kept); None: all.
            kept: Number of rows to centre the window for; None: those it has.
        """
        row_count = self.rows if rows is None else len(rows)
        slot_count = self.slots if order is None else order.shape[1]
        first_row = (row_capacity - (kept or row_count)) // 2
        sources = [layer.used() if layer.stored is not None else None for layer in self.layers]
        self.row_capacity, self.slot_capacity, self._pool, self._is_borrowed = row_capacity, slot_capacity, None, False
        for layer, source in zip(self.layers, sources, strict=True):
            layer.filled = slot_count
            if source is None:
                continue
            layer.allocate(source[0])
            for stored, used in zip(layer.in_rows(first_row, row_count), source, strict=True):
                picked = used if rows is None else used[list(rows)]
                stored[:, :, :slot_count] = picked if order is None else _take_slots(picked, order)
        self.rows, self.first_row = row_count, first_row
        self.first_slot, self.end = 0, slot_count


def _clear(layer: StoredLayer, row: int, rows: int, start: int, end: int) -> None:
    """Set a hole to zero: attention multiplies its values by 0, and fresh memory may hold NaN."""
    if layer.stored is not None and start < end:
        for stored in layer.in_rows(row, rows):
            stored[:, :, start:end] = 0.0


def _write(layer: StoredLayer, other: StoredLayer, row: int, start: int, end: int) -> None:
    """Copy another layer's window into these slots; does nothing if that layer has no tokens."""
    if other.stored is None or start == end:
        return
    source = other.used()
    if layer.stored is None:
        layer.allocate(source[0])
    for stored, used in zip(layer.in_rows(row, source[0].shape[0]), source, strict=True):
        stored[:, :, start:end] = used


def _with_spare_slots(slots: int) -> int:
    """Add half of the slots: more memory would cost more to copy, and a page fault for every page."""
    return slots + max(_LEAST_SPARE_SLOTS, slots // 2)


def _with_spare_rows(rows: int) -> int:
    """Add a quarter of the rows on either side, as doubled batches grow in both directions."""
    return rows + 2 * max(8, rows // 4)


def _take_slots(stored: Tensor, order: Tensor) -> Tensor:
    """Gather slots per row: ``stored`` is (rows, heads, slots, width), ``order`` is (rows, kept)."""
    order = order.to(stored.device)
    rows = torch.arange(order.shape[0], device=order.device).unsqueeze(1)
    return stored.transpose(1, 2)[rows, order].transpose(1, 2)
