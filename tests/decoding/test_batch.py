"""Completions in one running batch: reading, joining, ending and leaving never change what the others say."""

from __future__ import annotations

from typing import Any

import pytest

from cosec.decoding.batch import Batch, CompletionRequest, PromptReading, batch_setup
from cosec.decoding.completer import Completer
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.prompt_cache import LongestBeginning, PromptCache, WholePrompts
from cosec.decoding.rules.schema import SteerSettings, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.errors import SettingsError
from tests.decoding.pairs import shared_pair

PROMPTS = ["def read(path):\n", "int main(", "x = é", "for name in os"]


def settings(**sampling: object) -> DecodingSettings:
    return DecodingSettings(
        rule=ThresholdSettings(threshold=0.3),
        sampling=SamplingSettings(**{"temperature": 0.8, "max_new_tokens": 12, **sampling}),
    )


def new_batch(pair: PreparedPair, **options: Any) -> Batch:
    return Batch(batch_setup(pair, settings()), **options)


def request(pair: PreparedPair, prompt: str, samples: int = 1, limit: int = 12, **more: Any) -> CompletionRequest:
    ids = tuple(pair.tokenizer(prompt).input_ids)
    return CompletionRequest(prompt_ids=ids, samples=tuple(range(samples)), max_new_tokens=limit, **more)


def join(batch: Batch, *requests: CompletionRequest, piece: int | None = None) -> list[list[int]]:
    readings = [batch.start_reading(one) for one in requests]
    for reading in readings:
        while reading.missing:
            reading.feed(piece)
    return batch.join(readings)


def finish(batch: Batch) -> dict[int, str]:
    texts = {}
    while batch.active:
        for progress in batch.step():
            if progress.finish_reason is not None:
                assert progress.sequence not in texts, "a completion that has ended is reported again"
                texts[progress.sequence] = progress.completion.text
    return dict(sorted(texts.items()))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return shared_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def expected(pair: PreparedPair) -> list[list[str]]:
    done = Completer(pair, settings()).complete(PROMPTS, n=2)
    return [[one.text for one in done[2 * index : 2 * index + 2]] for index in range(len(PROMPTS))]


@pytest.mark.parametrize("leave_together", [0, 3, 100])
def test_completions_that_join_at_any_time_say_what_they_say_alone(
    pair: PreparedPair, expected: list[list[str]], leave_together: int
) -> None:
    batch = new_batch(pair, leave_together=leave_together)
    texts: dict[int, str] = {}
    numbers = []
    for index, prompt in enumerate(PROMPTS):
        numbers += join(batch, request(pair, prompt, samples=2), piece=1 + index)
        for progress in [*batch.step(), *batch.step()]:
            if progress.finish_reason is not None:
                texts[progress.sequence] = progress.completion.text
    texts |= finish(batch)
    assert [[texts[number] for number in ones] for ones in numbers] == expected


def test_requests_for_one_prompt_share_it_and_keep_their_order(pair: PreparedPair, expected: list[list[str]]) -> None:
    batch = new_batch(pair)
    single = [request(pair, prompt) for prompt in (PROMPTS[0], PROMPTS[1], PROMPTS[0])]
    second = CompletionRequest(prompt_ids=single[0].prompt_ids, samples=(1,), max_new_tokens=12)
    numbers = join(batch, single[0], single[1], second)
    texts = finish(batch)
    assert [texts[number] for (number,) in numbers] == [expected[0][0], expected[1][0], expected[0][1]]


def test_a_completion_that_ended_is_not_reported_and_leaves_when_others_join(pair: PreparedPair) -> None:
    batch = new_batch(pair, leave_together=10)
    join(batch, request(pair, PROMPTS[0], limit=12), request(pair, PROMPTS[1], limit=12))
    first = batch.step()
    gone = batch.cancel([first[0].sequence])
    assert [one.finish_reason for one in gone] == ["cancelled"]
    assert gone[0].completion.records == list(first[0].records)
    assert (batch.active, batch._run.active) == (1, 2)
    assert [one.sequence for one in batch.step()] == [first[1].sequence]
    join(batch, request(pair, PROMPTS[2]))
    assert (batch.active, batch._run.active) == (2, 2)


def test_a_batch_whose_completions_were_all_cancelled_lets_go_of_them_in_one_more_step(pair: PreparedPair) -> None:
    batch = new_batch(pair, leave_together=10)
    (numbers,) = join(batch, request(pair, PROMPTS[0], samples=3))
    batch.step()
    batch.cancel(numbers)
    assert (batch.active, batch.idle, batch.remembered_tokens) == (0, False, 0)
    assert batch.step() == []
    assert batch.idle
    assert batch.holds_spare_memory
    batch.free_memory()
    assert not batch.holds_spare_memory


def test_a_stop_token_of_the_batch_ends_its_completions(pair: PreparedPair) -> None:
    whole = Completer(pair, settings()).complete(PROMPTS[:1])[0]
    stop = whole.records[4].token_id
    batch = new_batch(pair, stop_token_ids=frozenset({stop}))
    join(batch, request(pair, PROMPTS[0]))
    found = [progress for _ in range(12) for progress in batch.step()]
    assert found[-1].finish_reason == "stop"
    tokens = [record.token_id for record in whole.records]
    assert [record.token_id for record in found[-1].completion.records] == tokens[: tokens.index(stop) + 1]


def defer(batch: Batch, one: CompletionRequest) -> PromptReading:
    reading = batch.start_reading(one)
    reading.feed(defer=True)
    return reading


def test_a_deferred_prompt_takes_one_pass_with_its_first_token_and_is_cached_after_it(
    pair: PreparedPair, expected: list[list[str]], passes: list[int]
) -> None:
    cache = PromptCache(1_000, WholePrompts())
    batch = new_batch(pair, cache=cache)
    one = request(pair, PROMPTS[0])
    batch.join([defer(batch, one)])
    assert (passes, cache.tokens) == ([], 0)
    batch.step()
    assert (passes, cache.tokens) == ([len(one.prompt_ids)], 0)
    batch.step()
    assert cache.tokens == len(one.prompt_ids) - 1
    assert list(finish(batch).values()) == [expected[0][0]]
    del passes[:]
    join(batch, request(pair, PROMPTS[0], samples=2))
    assert passes == []
    assert list(finish(batch).values()) == expected[0]


def test_a_deferred_prompt_that_does_not_join_alone_is_read_at_once(
    pair: PreparedPair, expected: list[list[str]]
) -> None:
    batch = new_batch(pair, cache=PromptCache(1_000, WholePrompts()))
    numbers = batch.join([defer(batch, request(pair, prompt)) for prompt in PROMPTS[:2]])
    numbers += batch.join([defer(batch, request(pair, PROMPTS[2]))])
    texts = finish(batch)
    assert [texts[number] for (number,) in numbers] == [expected[index][0] for index in range(3)]


def test_samples_and_single_tokens_are_never_deferred(pair: PreparedPair) -> None:
    batch = new_batch(pair)
    assert not defer(batch, request(pair, PROMPTS[0], samples=2)).deferred
    assert not defer(batch, request(pair, PROMPTS[0], limit=1)).deferred


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_request_that_continues_a_text_reads_only_what_is_new(
    pair: PreparedPair, expected: list[list[str]], passes: list[int], cancelled: bool
) -> None:
    batch = new_batch(pair, cache=PromptCache(1_000, LongestBeginning()))
    whole = Completer(pair, settings()).complete(PROMPTS[:1])[0]
    tokens = [record.token_id for record in whole.records]
    stop = frozenset[int]() if cancelled else frozenset({tokens[7]})
    one = request(pair, PROMPTS[0], stop_token_ids=stop)
    ((number,),) = join(batch, one)
    for _ in range(tokens.index(tokens[7]) + 1):
        batch.step()
    if cancelled:
        batch.cancel([number])
    assert batch.active == 0
    del passes[:]
    written = tokens[: tokens.index(tokens[7]) + 1]
    follow_up = CompletionRequest(prompt_ids=(*one.prompt_ids, *written, *one.prompt_ids), max_new_tokens=6)
    reading = batch.start_reading(follow_up)
    assert reading.read == len(one.prompt_ids) + len(written) - 1
    reading.feed()
    batch.join([reading])
    continued = finish(batch)
    other = new_batch(pair)
    join(other, follow_up)
    assert list(continued.values()) == list(finish(other).values())


def test_texts_are_not_kept_where_whole_prompts_are_and_beside_others(pair: PreparedPair) -> None:
    whole, shared = PromptCache(1_000, WholePrompts()), PromptCache(1_000, LongestBeginning())
    for cache, others in ((whole, PROMPTS[:0]), (shared, PROMPTS[1:2])):
        batch = new_batch(pair, cache=cache)
        requests = [request(pair, prompt) for prompt in (PROMPTS[0], *others)]
        numbers = [number for ones in join(batch, *requests) for number in ones]
        before = cache.tokens
        for _ in range(10):
            batch.step()
        batch.cancel(numbers)
        assert cache.tokens == before


def test_remembered_tokens_are_prompts_and_completions(pair: PreparedPair) -> None:
    batch = new_batch(pair)
    one = request(pair, PROMPTS[0], samples=2)
    join(batch, one)
    batch.step()
    assert batch.remembered_tokens == 2 * (len(one.prompt_ids) + 1)


def test_joining_nothing_changes_nothing(pair: PreparedPair) -> None:
    batch = new_batch(pair)
    assert batch.join([]) == []
    assert batch.step() == []


def test_a_request_with_another_rule_is_refused_where_the_target_does_not_run(pair: PreparedPair) -> None:
    steered = settings().model_copy(update={"rule": SteerSettings(strength=1.0)})
    batch = Batch(batch_setup(pair, steered, target_records=False))
    with pytest.raises(SettingsError, match="leave target_records on"):
        batch.start_reading(request(pair, PROMPTS[0], settings=settings()))
