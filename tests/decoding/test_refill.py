from __future__ import annotations

from collections.abc import Iterator

import pytest

from cosec.decoding.batch import Batch, CompletionRequest, batch_setup
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.refill import Refill
from cosec.decoding.settings import DecodingSettings


def requests(count: int, taken: list[int], *, samples: int, limit: int) -> Iterator[tuple[int, CompletionRequest]]:
    for index in range(count):
        taken.append(index)
        prompt = (5, 6, 7 + index)
        yield index, CompletionRequest(prompt_ids=prompt, samples=tuple(range(samples)), max_new_tokens=limit + index)


@pytest.mark.parametrize(
    ("rows", "samples", "most"),
    [(8, 1, 8), (8, 3, 8), (2, 2, 2), (2, 5, 5)],
    ids=["single", "samples", "exact", "more samples than rows"],
)
def test_no_more_completions_run_than_there_are_rows(
    separate: PreparedPair, rows: int, samples: int, most: int
) -> None:
    batch = Batch(batch_setup(separate, DecodingSettings()), stop_token_ids=frozenset())
    taken: list[int] = []
    refill = Refill(batch, requests(9, taken, samples=samples, limit=1), rows=rows, samples=samples)
    joined: list[int] = []
    ended: list[int] = []
    active: list[int] = []
    while not refill.done:
        joined += [item for item, numbers in refill.fill() for _ in numbers]
        active.append(batch.active)
        ended += [one.sequence for one in batch.step() if one.finish_reason is not None]
    assert joined == [item for item in range(9) for _ in range(samples)]
    assert sorted(ended) == list(range(9 * samples))
    assert max(active) == most


def test_requests_are_taken_only_when_a_quarter_of_the_rows_is_free(separate: PreparedPair) -> None:
    batch = Batch(batch_setup(separate, DecodingSettings()), stop_token_ids=frozenset())
    taken: list[int] = []
    refill = Refill(batch, requests(12, taken, samples=1, limit=2), rows=8, samples=1)
    refill.fill()
    assert taken == list(range(8))
    batch.cancel([0])
    assert refill.fill() == []
    batch.cancel([1])
    assert [item for item, _ in refill.fill()] == [8, 9]
    assert taken == list(range(10))


def test_nothing_to_do_is_done_after_one_look(separate: PreparedPair) -> None:
    refill = Refill(Batch(batch_setup(separate, DecodingSettings())), iter([]), rows=4, samples=1)
    assert not refill.done
    assert refill.fill() == []
    assert refill.done
