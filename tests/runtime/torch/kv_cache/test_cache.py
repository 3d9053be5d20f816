"""Bookkeeping of the cache, with keys that say which token they belong to; test_token_model.py runs real models."""

from __future__ import annotations

import itertools
import random

import pytest
import torch
from torch import Tensor

from cosec.runtime.torch.kv_cache.cache import KeyValueCache
from cosec.runtime.torch.kv_cache.storage import CacheStorage

LAYERS, HEADS, WIDTH = 2, 3, 4
FRESH = itertools.count(10_000)
"""Tokens that no row has."""


class Mirror:
    """A cache beside plain lists of what each row should remember."""

    def __init__(self, cache: KeyValueCache, rows: list[list[int]]) -> None:
        self.cache = cache
        self.rows = rows
        self._token = 1 + max((token for row in rows for token in row), default=0)

    @classmethod
    def empty(cls, rows: int) -> Mirror:
        return cls(KeyValueCache(LAYERS, rows), [[] for _ in range(rows)])

    @classmethod
    def prefilled(cls, prompts: list[list[int]]) -> Mirror:
        parts = []
        for prompt in prompts:
            one = cls.empty(1)
            if prompt:
                one.feed(torch.tensor([prompt]))
            parts.append(one.cache)
        return cls(KeyValueCache.joined(parts), [list(prompt) for prompt in prompts])

    def feed(self, tokens: Tensor) -> None:
        """Do what a model's forward does: extend, then write keys and values in every layer."""
        expected = torch.tensor([[len(row) + step for step in range(tokens.shape[1])] for row in self.rows])
        inputs = self.cache.extend(tokens.shape[1])
        assert torch.equal(inputs.position_ids, expected)
        for row, fed in zip(self.rows, tokens.tolist(), strict=True):
            row.extend(fed)
        for layer in range(LAYERS):
            keys = (tokens + 0.5 * layer).view(len(self.rows), 1, -1, 1).expand(-1, HEADS, -1, WIDTH).float()
            keys, values = inputs.past_key_values.update(keys, -keys, layer)
            assert keys.shape == values.shape == (len(self.rows), HEADS, self.cache.slots, WIDTH)
            self._check_layer(layer, keys, values, inputs.attention_mask)

    def extend(self, new: int) -> None:
        count = len(self.rows) * new
        tokens = torch.arange(self._token, self._token + count).view(len(self.rows), new)
        self._token += count
        self.feed(tokens)

    def rollback(self, dropped: list[int]) -> None:
        self.cache.rollback(dropped)
        for row, count in zip(self.rows, dropped, strict=True):
            del row[len(row) - count :]
        self.check()

    def select(self, rows: list[int]) -> None:
        self.cache.select(rows)
        self.rows = [list(self.rows[row]) for row in rows]
        self.check()

    def join(self, others: list[Mirror]) -> None:
        self.cache = KeyValueCache.joined([self.cache, *(one.cache for one in others)])
        for one in others:
            self.rows += one.rows
            self._token = max(self._token, one._token)
        self.check()

    def check(self) -> None:
        assert self.cache.rows == len(self.rows)
        assert self.cache.lengths.tolist() == [len(row) for row in self.rows]
        assert self.cache.occupied.sum(dim=1).tolist() == [len(row) for row in self.rows]

    def _check_layer(self, layer: int, keys: Tensor, values: Tensor, mask: Tensor | None) -> None:
        for row, tokens in enumerate(self.rows):
            seen = torch.ones(keys.shape[2], dtype=torch.bool) if mask is None else mask[row]
            expected = torch.tensor(tokens) + 0.5 * layer
            assert torch.equal(keys[row, 0, seen, 0], expected)
            assert torch.equal(values[row, HEADS - 1, seen, WIDTH - 1], -expected)


@pytest.mark.parametrize("seed", range(30))
def test_any_sequence_of_steps_keeps_every_rows_own_tokens_in_order(seed: int) -> None:
    chance = random.Random(seed)
    mirror = Mirror.prefilled([list(range(100 * row, 100 * row + chance.randrange(12))) for row in range(4)])
    for _ in range(25):
        if not mirror.rows:
            break
        new = chance.randrange(1, 9)
        mirror.extend(new)
        if chance.random() < 0.8:
            mirror.rollback([chance.randrange(new + 1) for _ in mirror.rows])
        if chance.random() < 0.3:
            mirror.select([chance.randrange(len(mirror.rows)) for _ in range(chance.randrange(1, 6))])


@pytest.mark.parametrize("seed", range(40))
def test_rows_that_join_and_leave_at_any_time_keep_their_own_tokens(seed: int) -> None:
    chance = random.Random(1000 + seed)
    mirror = Mirror.prefilled([[1, 2, 3]])
    for _ in range(40):
        mirror.extend(chance.randrange(1, 5))
        mirror.rollback([chance.choice([0, 0, 0, 1]) for _ in mirror.rows])
        if chance.random() < 0.5:
            lengths = [chance.choice([0, 3, 40, 150]) for _ in range(chance.randrange(1, 4))]
            mirror.join([Mirror.prefilled([[next(FRESH) for _ in range(length)]]) for length in lengths])
        if len(mirror.rows) > 1 and chance.random() < 0.5:
            kept = list(range(len(mirror.rows)))
            for _ in range(chance.randrange(1, min(3, len(kept)))):
                kept[chance.randrange(len(kept))] = kept[-1]
                kept.pop()
            mirror.select(list(dict.fromkeys(kept)))


def test_once_there_is_room_joining_and_leaving_move_nobody_else() -> None:
    mirror = Mirror.prefilled([[next(FRESH) for _ in range(50)] for _ in range(16)])
    mirror.join([Mirror.prefilled([[7, 8]])])
    mirror.join([Mirror.prefilled([[9]])])
    storage = mirror.cache._storage
    keys = [layer.stored[0].data_ptr() for layer in storage.layers if layer.stored]
    for _ in range(3):  # a doubled batch: newcomers go to both ends, who leaves is replaced by the outermost
        mirror.join([Mirror.prefilled([[3, 4, 5], [6]])])
        count = len(mirror.rows)
        mirror.select([count - 2, *range(count - 2), count - 1])
        mirror.extend(1)
        mirror.select([1, 2, 3, 0, *range(4, count - 4), count - 1, *range(count - 4, count - 2)])
    assert keys == [layer.stored[0].data_ptr() for layer in storage.layers if layer.stored]


def test_a_layer_on_another_device_keeps_its_keys_there() -> None:
    storage = CacheStorage(2, rows=1)
    storage.slot_capacity = 4
    for layer, device in enumerate(("cpu", "meta")):
        keys, values = storage.block(torch.empty(1, HEADS, 1, WIDTH, device=device), layer)
        assert keys.device.type == values.device.type == device


def test_a_batch_that_emptied_keeps_its_memory_for_newcomers() -> None:
    mirror = Mirror.prefilled([[1, 2], [3]])
    mirror.join([Mirror.prefilled([[8]])])
    before = mirror.cache._storage.layers[0].stored
    mirror.extend(2)
    mirror.select([])
    mirror.join([Mirror.prefilled([[4, 5, 6]]), Mirror.prefilled([[7]])])
    mirror.extend(2)
    assert mirror.cache._storage.layers[0].stored is before


def test_an_emptied_batch_of_long_sequences_gives_its_memory_back() -> None:
    mirror = Mirror.prefilled([list(range(2000)), [3]])
    mirror.select([])
    mirror.join([Mirror.prefilled([[4, 5, 6]]), Mirror.prefilled([[7]])])
    mirror.extend(2)
    assert mirror.cache._storage.slot_capacity < 300


def test_a_hole_never_holds_a_number_that_could_spoil_a_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoilt(example: Tensor, shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, float("nan"))

    monkeypatch.setattr(Tensor, "new_empty", spoilt)
    chance = random.Random(0)
    mirror = Mirror.prefilled([[1]])
    for _ in range(20):
        lengths = [chance.choice([0, 3, 40, 150]) for _ in range(3)]
        mirror.join([Mirror.prefilled([[next(FRESH) for _ in range(length)]]) for length in lengths])
        mirror.extend(1)
        mirror.select(chance.sample(range(len(mirror.rows)), 2))
        for layer in mirror.cache._storage.layers:
            assert all(bool(stored.isfinite().all()) for stored in layer.used())


def test_slots_that_were_cut_off_are_used_again() -> None:
    mirror = Mirror.prefilled([[1] * 120, [2] * 10, [3] * 11])
    mirror.extend(1)
    mirror.select([1, 2])
    keys = [layer.stored[0].data_ptr() for layer in mirror.cache._storage.layers if layer.stored]
    for _ in range(60):
        mirror.extend(1)
    assert keys == [layer.stored[0].data_ptr() for layer in mirror.cache._storage.layers if layer.stored]


def test_rows_of_different_length_are_padded_on_the_left() -> None:
    mirror = Mirror.prefilled([[1, 2, 3], [], [4]])
    assert mirror.cache.occupied.int().tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 1]]
    mirror.extend(2)


def test_rows_of_equal_length_need_no_mask() -> None:
    for mirror in (Mirror.prefilled([[1, 2], [3, 4]]), Mirror.prefilled([[], []]), Mirror.prefilled([[1, 2]])):
        assert mirror.cache.extend(1).attention_mask is None


def test_what_every_row_takes_back_is_cut_off_without_holes() -> None:
    mirror = Mirror.prefilled([[1, 2], [3, 4]])
    mirror.extend(5)
    mirror.rollback([3, 3])
    assert mirror.cache.slots == 4
    assert mirror.cache.extend(1).attention_mask is None


def test_a_row_that_takes_back_more_than_the_others_gets_holes() -> None:
    mirror = Mirror.prefilled([[1, 2], [3, 4]])
    mirror.extend(4)
    mirror.rollback([1, 3])
    assert mirror.cache.occupied.int().tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    mirror.extend(1)
    assert mirror.cache.occupied.int().tolist() == [[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 1]]


def test_holes_of_a_row_that_left_go_with_it() -> None:
    mirror = Mirror.prefilled([[1, 2], [3, 4]])
    mirror.extend(4)
    mirror.rollback([0, 3])
    mirror.select([1])
    assert mirror.cache.slots == 3
    assert mirror.cache.extend(1).attention_mask is None


def test_many_holes_are_compacted_away() -> None:
    mirror = Mirror.prefilled([[1], [2], [3]])
    most = 0
    for step in range(60):
        mirror.extend(8)
        mirror.rollback([8 if (step + row) % 3 else 4 for row in range(3)])
        most = max(most, mirror.cache.slots - max(len(row) for row in mirror.rows))
    assert 32 < most <= 64 + 8
    mirror.extend(1)


def test_rolling_back_nothing_changes_nothing() -> None:
    mirror = Mirror.prefilled([[1, 2], [3]])
    mirror.extend(1)
    before = mirror.cache.occupied.clone()
    mirror.rollback([0, 0])
    assert torch.equal(mirror.cache.occupied, before)
    mirror.extend(1)


def test_a_row_may_be_duplicated_and_the_copies_go_their_own_ways() -> None:
    mirror = Mirror.prefilled([[1, 2, 3], [4]])
    mirror.select([1, 0, 1, 1])
    mirror.extend(3)
    mirror.rollback([0, 3, 1, 2])
    mirror.extend(2)
    assert [row[:1] for row in mirror.rows] == [[4], [1], [4], [4]]


def test_the_last_row_may_leave() -> None:
    mirror = Mirror.prefilled([[1, 2], [3]])
    mirror.select([])
    assert mirror.cache.rows == 0


def test_an_empty_prompt_before_anything_was_fed() -> None:
    mirror = Mirror.prefilled([[], []])
    mirror.select([1, 0, 0])
    mirror.extend(1)
    mirror.rollback([0, 1, 0])
    mirror.extend(1)


def test_a_copy_never_shares_storage_with_its_source() -> None:
    mirror = Mirror.prefilled([[1, 2]])
    mirror.select([0, 0])
    mirror.extend(1)
    mirror.rollback([1, 0])
    mirror.extend(3)


def test_slots_that_no_row_was_fed_hold_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fresh memory may hold NaN, and a masked NaN is still NaN once it is multiplied by its weight of 0."""
    original = Tensor.new_empty
    monkeypatch.setattr(Tensor, "new_empty", lambda self, *args: original(self, *args).fill_(torch.nan))
    mirror = Mirror.prefilled([[], [3, 4, 5], [], [6]])
    inputs = mirror.cache.extend(1)
    keys, values = inputs.past_key_values.update(torch.ones(4, HEADS, 1, WIDTH), torch.ones(4, HEADS, 1, WIDTH), 0)
    assert not keys.isnan().any()
    assert not values.isnan().any()
