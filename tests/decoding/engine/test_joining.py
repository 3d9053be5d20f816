"""Sequences that join a running batch, each under settings of its own, say what they say alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cosec.decoding.engine import Emission, Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, TwoModelLanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import AnyRule, GateSettings, SpeculativeSettings, SteerSettings, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.decoding.trace import TokenRecord
from tests.decoding.scripted import ScriptedModel, random_table

RULES: list[AnyRule] = [
    ThresholdSettings(threshold=0.3),
    ThresholdSettings(threshold=0.3),
    ThresholdSettings(preset="release", threshold=0.8),
    SteerSettings(strength=1.5),
    GateSettings(strength=0.05),
    SpeculativeSettings(),
]


def asked(index: int, rule: AnyRule, limit: int = 10, **sampling: object) -> SequenceRequest:
    chosen = SamplingSettings(**{"temperature": 0.5 + 0.1 * index, "top_p": 0.9, "seed": index, **sampling})
    prompt = tuple(20 + (7 * index + place) % 60 for place in range(2 + 3 * index))
    return SequenceRequest(
        prompt_ids=prompt, max_new_tokens=limit, settings=DecodingSettings(rule=rule, sampling=chosen)
    )


def empty_run(lanes: Lanes, draft_length: int = 1) -> Run:
    chosen = DecodingSettings(sampling=SamplingSettings(draft_length=draft_length))
    return Run(lanes, rule_for(chosen), chosen)


def join(run: Run, lanes: Lanes, requests: Sequence[SequenceRequest]) -> list[int]:
    prefilled = lanes.prefill([request.prompt_ids[:-1] for request in requests])
    return run.join(requests, prefilled)


def finish(run: Run, emitted: dict[int, list[TokenRecord]] | None = None) -> dict[int, list[TokenRecord]]:
    found = {} if emitted is None else emitted
    while run.active:
        collect(run.step(), found)
    return found


def collect(emissions: Sequence[Emission], found: dict[int, list[TokenRecord]]) -> None:
    for emission in emissions:
        found.setdefault(emission.sequence, []).extend(emission.records)


def ids(records: Sequence[TokenRecord]) -> list[int]:
    return [record.token_id for record in records]


@pytest.mark.parametrize("draft_length", [1, 3])
def test_rows_that_join_at_any_time_under_any_rule_say_what_they_say_alone(
    pair: PreparedPair, draft_length: int
) -> None:
    # A pair of two whole models has no base to compare with, so two of the rules are not for it.
    rules = [rule for rule in RULES if pair.has_base or rule.name in ("threshold", "speculative")]
    lanes = pair.lanes(draft_length, "base" if pair.has_base else "none")
    requests = [asked(index, rule, limit=6 + 3 * index) for index, rule in enumerate(rules)]
    alone = []
    for request in requests:
        run = empty_run(lanes, draft_length)
        join(run, lanes, [request])
        alone.append(ids(finish(run)[0]))
    run, emitted = empty_run(lanes, draft_length), {}
    assert join(run, lanes, requests[:2]) == [0, 1]
    for number, request in enumerate(requests[2:], start=2):
        collect(run.step(), emitted)
        assert join(run, lanes, [request]) == [number]
    finish(run, emitted)
    assert [ids(emitted[number]) for number in range(len(requests))] == alone
    assert len({tuple(text) for text in alone}) == len(alone), "texts that are all alike would show nothing"


def test_a_run_that_emptied_takes_newcomers(pair: PreparedPair) -> None:
    lanes = pair.lanes("auto")
    run = empty_run(lanes)
    assert run.step() == []
    join(run, lanes, [asked(1, RULES[0])])
    first = finish(run)[0]
    number = join(run, lanes, [asked(1, RULES[0])])[0]
    assert ids(finish(run)[number]) == ids(first)


@pytest.mark.parametrize("pieces", [[3], [1, 2], [2, 1], [1, 1, 1]])
def test_a_batch_that_emptied_hands_its_memory_to_others_who_say_what_they_say_alone(
    pair: PreparedPair, pieces: list[int]
) -> None:
    lanes = pair.lanes(1)
    requests = [asked(index, RULES[index]) for index in range(3)]
    alone = []
    for request in requests:
        single = empty_run(lanes)
        join(single, lanes, [request])
        alone.append(ids(finish(single)[0]))
    run = empty_run(lanes)
    for _ in range(3):
        emitted: dict[int, list[TokenRecord]] = {}
        numbers: list[int] = []
        for count in pieces:
            newcomers = requests[len(numbers) :][:count]
            numbers += run.join(newcomers, *(lanes.prefill([one.prompt_ids[:-1]]) for one in newcomers))
            collect(run.step(), emitted)
        finish(run, emitted)
        assert [ids(emitted[number]) for number in numbers] == alone
    run.free_memory()


def test_a_row_leaves_and_another_joins_before_the_same_block(pair: PreparedPair) -> None:
    lanes = pair.lanes("auto")
    whole = empty_run(lanes)
    join(whole, lanes, [asked(3, RULES[0])])
    expected = ids(finish(whole)[0])
    run, emitted = empty_run(lanes), {}
    join(run, lanes, [asked(0, RULES[0]), asked(2, RULES[0])])
    collect(run.step(), emitted)
    run.leave([0])
    number = join(run, lanes, [asked(3, RULES[0])])[0]
    finish(run, emitted)
    assert len(emitted[0]) == 1
    assert ids(emitted[number]) == expected


def test_divergences_and_alternatives_are_recorded_for_the_rows_that_have_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from tests.decoding.pairs import shared_pair

    shared = shared_pair(tmp_path_factory.mktemp("shared"))
    lanes = shared.lanes("auto")
    run = empty_run(lanes)
    join(run, lanes, [asked(0, RULES[0], top_logprobs=2), asked(1, GateSettings(), top_logprobs=5), asked(2, RULES[3])])
    records = finish(run)
    assert {record.divergence for record in records[0]} == {None}
    assert {record.gated for record in records[0]} == {None}
    assert all(record.divergence is not None and record.gated is not None for record in records[1])
    assert [len(records[number][0].top_logprobs or ()) for number in range(3)] == [2, 5, 0]
    assert records[2][0].top_logprobs is None


def test_a_prompt_read_in_pieces_or_forked_from_a_longer_one_is_the_same_prompt(pair: PreparedPair) -> None:
    lanes = pair.lanes("auto", "base" if pair.has_base else "none")
    request = asked(5, RULES[0])
    run = empty_run(lanes)
    join(run, lanes, [request])
    expected = ids(finish(run)[0])

    prompt = request.prompt_ids[:-1]
    pieces = lanes.prefill([()])
    for start in range(0, len(prompt), 4):
        pieces.feed(prompt[start : start + 4])
    forked = pieces.fork(5)
    forked.feed(prompt[5:])
    for prefilled in (forked, pieces.fork(len(prompt)), pieces):
        run = empty_run(lanes)
        run.join([request], prefilled)
        assert ids(finish(run)[0]) == expected


def test_scripted_lanes_join_too() -> None:
    lanes = TwoModelLanes(ScriptedModel(random_table(90, 1, 1)), ScriptedModel(random_table(90, 1, 2)))
    run, emitted = empty_run(lanes, 3), {}
    join(run, lanes, [asked(0, RULES[0])])
    collect(run.step(), emitted)
    join(run, lanes, [asked(1, RULES[5])])
    finish(run, emitted)
    single = empty_run(lanes, 1)
    join(single, lanes, [asked(1, RULES[5])])
    assert ids(emitted[1]) == ids(finish(single)[0])
