from itertools import chain

import pytest

from cosec.training.loop.schedule import dropout_seed, epoch_batches, learning_rate, total_steps
from cosec.training.settings import HardeningSettings


def test_an_epoch_visits_every_example_once_in_another_order_each_time() -> None:
    first, second = (epoch_batches([7] * 11, batch_size=2, seed=0, epoch=epoch) for epoch in (0, 1))
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(11))
    assert first != second
    assert sorted(len(batch) for batch in first) == [1, 2, 2, 2, 2, 2]


def test_examples_of_a_batch_are_of_similar_length() -> None:
    lengths = [100 if index % 2 else 10 for index in range(40)]
    batches = epoch_batches(lengths, batch_size=2, seed=0, epoch=0)
    assert all(lengths[first] == lengths[second] for first, second in batches)
    assert {lengths[batch[0]] for batch in batches[:8]} == {10, 100}, "batches come in no order of length"


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    assert epoch_batches(list(range(9)), batch_size=2, seed=4, epoch=2) == epoch_batches(
        list(range(9)), batch_size=2, seed=4, epoch=2
    )
    assert epoch_batches(list(range(9)), batch_size=2, seed=5, epoch=2) != epoch_batches(
        list(range(9)), batch_size=2, seed=4, epoch=2
    )


@pytest.mark.parametrize(("max_steps", "expected"), [(None, 18), (5, 5), (100, 18)])
def test_steps_are_bounded_by_epochs_and_by_hand(max_steps: int | None, expected: int) -> None:
    assert total_steps(11, HardeningSettings(epochs=3, batch_size=2, max_steps=max_steps)) == expected


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    settings = HardeningSettings(learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(step, 110, settings) for step in (0, 5, 10, 60, 110)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])


def test_a_constant_rate_stays_after_the_warm_up() -> None:
    settings = HardeningSettings(learning_rate=1.0, warmup_steps=10, schedule="constant")
    assert [learning_rate(step, 110, settings) for step in (5, 10, 109)] == pytest.approx([0.5, 1.0, 1.0])


def test_every_example_has_its_own_dropout() -> None:
    seeds = {dropout_seed(seed, epoch, position) for seed in range(3) for epoch in range(3) for position in range(50)}
    assert len(seeds) == 450


def test_the_cosine_falls_slowly_fast_and_slowly_to_zero() -> None:
    settings = HardeningSettings(learning_rate=1.0, warmup_steps=10, schedule="cosine")
    rates = [learning_rate(step, 110, settings) for step in (0, 5, 10, 35, 60, 85, 110)]
    assert rates == pytest.approx([0, 0.5, 1, 0.8535534, 0.5, 0.1464466, 0], abs=1e-6)
