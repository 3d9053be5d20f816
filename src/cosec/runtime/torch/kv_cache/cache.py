"""A key-value cache whose rows can be rolled back, dropped and duplicated independently.

All rows share one axis of *slots*, and new tokens go into the last slots of every row. A row has *holes* where it is
shorter than the others, or forgot tokens that others kept. A hole holds no token of the row and is masked out.
Positions are counted over occupied slots, so holes never shift a token. Holes that all rows share at either end are cut
off, and a cache with many holes is compacted.

Where rows are samples of one prompt, and where batches join, prompts may be kept apart, each once, before the slots of
all rows (``shared_prefix.py``). ``storage.py`` holds keys and values. A model's forward writes them through
``ForwardInputs.past_key_values``; everything else goes through ``KeyValueCache``.

Axes: rows = sequences, slots = places in the cache, new = tokens fed by one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from cosec.models.internals import incompatible
from cosec.runtime.torch.kv_cache.prefix_storage import PrefixStorage
from cosec.runtime.torch.kv_cache.shared_prefix import SharedPrefix
from cosec.runtime.torch.kv_cache.storage import CacheStorage, StoredLayer

_SPARE_HOLES = 64
"""A cache is compacted when more slots than this, and more than an eighth of the longest row, are wasted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardInputs:
    """Arguments of a model's forward beside the token ids; good for one forward."""

    position_ids: Tensor
    """Position of each new token in its row, shape (rows, new)."""

    attention_mask: Tensor | None
    """Slots that may be attended to, shape (rows, slots + new); None when there is no hole."""

    past_key_values: Cache
    """The cache, which the forward fills in place."""


class KeyValueCache:
    """Keys and values of a batch of rows; the module's docstring describes the layout."""

    def __init__(
        self, layer_count: int, rows: int, device: torch.device | str = "cpu", *, shares_prefixes: bool = False
    ) -> None:
        """Make an empty cache.

        Args:
            layer_count: Layers of the model that keep keys and values.
            rows: Number of sequences.
            device: Device of the model.
            shares_prefixes: Whether prompts may be kept once; the model's attention must then read them
                (``attend_to_prefixes``).
        """
        self._storage = CacheStorage(layer_count, rows)
        self.occupied = torch.ones(rows, 0, dtype=torch.bool, device=device)
        """Slots that hold a token of the row, shape (rows, slots)."""
        self._shares_prefixes = shares_prefixes
        self._prefix: SharedPrefix | None = None
        self._fed: tuple[int, ...] = ()
        """The tokens in the first slots of every row."""
        self._origins = list(range(rows))
        """Each row's index in its first batch; rows of one prompt may differ in the adapter."""
        self._lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self._dense = True

    @property
    def rows(self) -> int:
        """Number of sequences."""
        return self.occupied.shape[0]

    @property
    def slots(self) -> int:
        """Number of slots in use, with holes, without those of shared prompts."""
        return self.occupied.shape[1]

    @property
    def lengths(self) -> Tensor:
        """Number of tokens that each row remembers, shape (rows,)."""
        return self._lengths

    def extend(self, new: int, fed: Sequence[int] = ()) -> ForwardInputs:
        """Make room for ``new`` tokens in every row.

        The next call on this cache must be ``check_filled``, after the model's forward took the result.

        Args:
            new: Number of tokens.
            fed: The tokens, where every row gets the same ones; only such tokens can be shared later.
        """
        if fed and self._prefix is None and self._dense and self.slots == len(self._fed):
            self._fed += tuple(fed)
        if self._prefix is not None:
            self._prefix.unread = 0
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

    def begin_with(self, layers: Sequence[tuple[Tensor, Tensor]], names: Sequence[int]) -> None:
        """Put the same keys and values into the first slots of every row; the cache must be empty.

        Args:
            layers: Keys and values of each layer, shape (heads, tokens, width).
            names: A number for each token, which no token that is fed has; rows with equal numbers share them.
        """
        self.extend(len(names), names)
        for layer, (keys, values) in zip(self._storage.layers, layers, strict=True):
            layer.update(keys.expand(self.rows, -1, -1, -1), values.expand(self.rows, -1, -1, -1))
        self.check_filled()

    def check_filled(self) -> None:
        """Check that a forward stored the new tokens in every layer and read the shared prompts.

        Raises:
            ModelError: If the model's architecture does not use the cache as this runtime needs it.
        """
        if not self._storage.is_filled or (self._prefix is not None and self._prefix.unread):
            raise incompatible(
                "transformers", "its forward pass of this architecture does not fill the key-value cache as expected"
            )

    def rollback(self, dropped: Sequence[int]) -> None:
        """Forget the last ``dropped[row]`` tokens of each row, all of them fed since the last ``select`` or join."""
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
        """Keep these rows, in this order; a row that is named several times is copied.

        A cache without rows keeps its memory for rows that join it: fresh memory costs a page fault for every page.
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
        """Turn the tokens that all rows were fed into a shared prefix; later tokens stay in the slots."""
        count = len(self._fed)
        if not self._shares_prefixes or self._prefix is not None or not count:
            return
        layers = [
            (keys[:, :, :count], values[:, :, :count]) for keys, values in map(StoredLayer.used, self._storage.layers)
        ]
        if self.slots == count:
            self._storage = CacheStorage(len(layers), self.rows)
        else:  # the storage will be written to again
            layers = [(keys.clone(), values.clone()) for keys, values in layers]
            self._storage.cut(count, 0)
        self._prefix = SharedPrefix(
            PrefixStorage(layers, [(self._fed, origin) for origin in self._origins]), list(range(self.rows))
        )
        self._storage.follow(self._prefix)
        self.occupied, self._fed = self.occupied[:, count:], ()

    def _cut_shared_holes(self) -> None:
        """Drop the slots at either end in which every row has a hole."""
        used = self.occupied.any(dim=0).nonzero()
        first, end = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        self._storage.cut(first, self.slots - end)
        self.occupied = self.occupied[:, first:end]
        self._dense = bool(self.occupied.all())

    def _compact_if_worth_it(self) -> None:
        """Move the tokens of every row together at the end of the slots, if many slots are wasted."""
        before = 0 if self._prefix is None else self._prefix.row_lengths
        slots = int((self._lengths - before).max())
        if self.slots - slots <= max(_SPARE_HOLES, slots // 8):
            return
        order = self.occupied.int().argsort(dim=1, stable=True)[:, self.slots - slots :]
        self.occupied = self.occupied.gather(1, order)
        self._dense, self._fed = bool(self.occupied.all()), ()
        self._storage.take_slots(order)

    def prefix(self, kept: int) -> KeyValueCache:
        """Copy the first ``kept`` tokens of each row; no row may have holes or a shared prompt.

        A copy of a copy takes no memory until more is fed to it.
        """
        assert self._dense, "rows with holes have no common first slots"
        assert self._prefix is None, "the tokens of a shared prompt are not in the slots"
        copy = KeyValueCache(0, self.rows, self.occupied.device, shares_prefixes=self._shares_prefixes)
        copy._storage = self._storage.copy(kept)
        copy.occupied = self.occupied[:, :kept].clone()
        copy._lengths = torch.full_like(self._lengths, kept)
        copy._fed, copy._origins = self._fed[:kept], list(self._origins)
        return copy

    @classmethod
    def joined(cls, parts: Sequence[KeyValueCache]) -> KeyValueCache:
        """Put the rows of several caches into one, in order; the parts are used up."""
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
