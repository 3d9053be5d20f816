"""A key-value cache whose rows can be rolled back, dropped and duplicated independently.

All rows share one axis of *slots*, and what is fed goes into the last slots of every row. A row that is shorter than
the others, or that took back tokens which the others kept, has *holes*: slots that hold stale keys and are masked out.
Positions come from counting the occupied slots, so holes never shift a token. Holes at either end that every row shares
are cut off, and a cache with many holes is compacted. Where rows are samples of one prompt, and where batches join,
prompts may be kept apart, each once, before the slots of all rows (``shared_prefix.py``). Where keys and values lie is
``cache_storage.py``'s business.

Axes: rows = sequences, slots = places in the cache, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from cosec.runtime.torch.kv_cache.prefix_storage import PrefixStorage
from cosec.runtime.torch.kv_cache.shared_prefix import SharedPrefix
from cosec.runtime.torch.kv_cache.storage import CacheStorage, StoredLayer

_SPARE_HOLES = 64
"""Compact only when more slots than this (and an eighth of the row) are wasted."""


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
        self._storage = CacheStorage(layer_count, rows)
        self.occupied = torch.ones(rows, 0, dtype=torch.bool, device=device)
        """Which slots hold a token of the row, shape (rows, slots)."""
        self._shares_prefixes = shares_prefixes
        self._prefix: SharedPrefix | None = None
        self._fed: tuple[int, ...] = ()
        """What lies in every row's first slots."""
        self._origins = list(range(rows))
        """Which row of the first batch each row was: a prompt's rows may differ in the adapter."""
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

    def extend(self, new: int, fed: Sequence[int] = ()) -> ForwardInputs:
        """Make room for ``new`` tokens in every row; the forward that gets the result fills it.

        Args:
            new: How many.
            fed: The tokens where every row gets the same ones; such rows can share what they hold.
        """
        if fed and self._prefix is None and self._dense and self.slots == len(self._fed):
            self._fed += tuple(fed)
        self._storage.extend(new)
        steps = torch.arange(new, device=self._lengths.device)
        position_ids = self._lengths.unsqueeze(1) + steps
        self.occupied = torch.cat([self.occupied, self.occupied.new_ones(self.rows, new)], dim=1)
        self._lengths = self._lengths + new
        return ForwardInputs(
            position_ids=position_ids,
            attention_mask=None if self._dense else self.occupied,
            past_key_values=self._storage.cache,
        )

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row; all of them must come from the latest ``extend``."""
        common = min(dropped)
        if max(dropped) == 0:
            return
        kept_slots = self.slots - common
        self._fed = self._fed[: self.slots - max(dropped)]
        self.occupied = self.occupied[:, :kept_slots].clone()
        self._storage.cut(0, common)
        for row, count in enumerate(dropped):
            if count > common:
                self.occupied[row, kept_slots - (count - common) :] = False
                self._dense = False
        self._lengths = self._lengths - torch.tensor(list(dropped), device=self._lengths.device)
        self._compact_if_worth_it()

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be named several times.

        A batch without rows keeps its memory for others that join it, as fresh memory costs the first touch of every
        page.
        """
        if len(set(rows)) < len(rows):
            self._share()
        index = torch.tensor(list(rows), dtype=torch.long, device=self.occupied.device)
        self._lengths = self._lengths[index]
        self.occupied = self.occupied[index]
        self._origins = [self._origins[row] for row in rows]
        if self._prefix is not None:
            self._prefix.select(rows)
        self._storage.select(rows)
        if not rows:
            self.occupied, self._dense, self._fed = self.occupied.new_ones(0, 0), True, ()
            return
        if not self._dense:
            self._cut_shared_holes()
            self._compact_if_worth_it()

    def _share(self) -> None:
        """Make what all rows were fed a prefix; what came after it stays in their slots."""
        count = len(self._fed)
        if not self._shares_prefixes or self._prefix is not None or not count:
            return
        layers = [
            (keys[:, :, :count], values[:, :, :count]) for keys, values in map(StoredLayer.used, self._storage.layers)
        ]
        if self.slots == count:
            self._storage = CacheStorage(len(layers), self.rows)
        else:  # the storage goes on being written to
            layers = [(keys.clone(), values.clone()) for keys, values in layers]
            self._storage.cut(count, 0)
        self._prefix = SharedPrefix(
            PrefixStorage(layers, [(self._fed, origin) for origin in self._origins]), list(range(self.rows))
        )
        self._storage.follow(self._prefix)
        self.occupied, self._fed = self.occupied[:, count:], ()

    def _cut_shared_holes(self) -> None:
        """Let go of the slots at either end that no row uses any more."""
        used = self.occupied.any(dim=0).nonzero()
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        self._storage.cut(first, self.slots - end)
        self.occupied = self.occupied[:, first:end]
        self._dense = bool(self.occupied.all())

    def _compact_if_worth_it(self) -> None:
        """Right-align every row's tokens in as few slots as the longest row has, if many slots are wasted."""
        before = 0 if self._prefix is None else self._prefix.row_lengths
        slots = int((self._lengths - before).max())
        if self.slots - slots <= max(_SPARE_HOLES, slots // 8):
            return
        order = self.occupied.int().argsort(dim=1, stable=True)[:, self.slots - slots :]
        self.occupied = self.occupied.gather(1, order)
        self._dense, self._fed = bool(self.occupied.all()), ()
        self._storage.take_slots(order)

    def prefix(self, kept: int) -> KeyValueCache:
        """A copy that holds the first ``kept`` tokens of each row; the rows must be free of holes.

        A copy of a copy takes no memory before more is fed to it.
        """
        assert self._dense, "rows with holes do not share their first slots"
        assert self._prefix is None, "what lies in a shared prefix is not in the slots"
        copy = KeyValueCache(0, self.rows, self.occupied.device, shares_prefixes=self._shares_prefixes)
        copy._storage = self._storage.copy(kept)
        copy.occupied = self.occupied[:, :kept].clone()
        copy._lengths = torch.full_like(self._lengths, kept)
        copy._fed, copy._origins = self._fed[:kept], list(self._origins)
        return copy

    @classmethod
    def joined(cls, parts: Sequence[KeyValueCache]) -> KeyValueCache:
        """One cache with the rows of all ``parts``, one after the other; they are used up."""
        whole, newcomers = parts[0], parts[1:]
        if newcomers:
            for part in parts:
                part._share()
            whole._prefix = SharedPrefix.joined([(part._prefix, part.rows) for part in parts])
            before, after = whole._storage.join([part._storage for part in newcomers])
            own = torch.nn.functional.pad(whole.occupied, (before, after))
            others = [torch.nn.functional.pad(part.occupied, (own.shape[1] - part.slots, 0)) for part in newcomers]
            whole.occupied = torch.cat([own, *others])
            whole._lengths = torch.cat([part._lengths for part in parts])
            whole._origins, whole._fed = [origin for part in parts for origin in part._origins], ()
            whole._dense = bool(whole.occupied.all())
            whole._storage.follow(whole._prefix)
        return whole
