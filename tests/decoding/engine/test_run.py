from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from cosec.decoding.engine import Emission, Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, TargetLane, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.decoding.trace import TokenOrigin, TokenRecord, summary
from cosec.errors import ModelError
from tests.decoding.scripted import ScriptedModel, random_table

VOCABULARY = 12
SECURITY = random_table(VOCABULARY, 2, seed=1)
TARGET = random_table(VOCABULARY, 2, seed=2)
PROMPTS = [(1, 2, 3), (4,), (5, 6), (1, 2, 3, 4, 5, 6, 7)]
PRESETS = ["paper", "release", "cosec", "warped"]
DRAFT_LENGTHS = [1, 2, 3, 5, "auto"]


def settings(*, preset: str = "paper", threshold: float = 0.4, **sampling: object) -> DecodingSettings:
    return DecodingSettings(
        rule=ThresholdSettings(preset=preset, threshold=threshold),
        sampling=SamplingSettings(**{"temperature": 0.8, "top_p": 0.9, "max_new_tokens": 12, **sampling}),
    )


def two_models(security: Tensor = SECURITY, target: Tensor = TARGET) -> TwoModelLanes:
    return TwoModelLanes(ScriptedModel(security), ScriptedModel(target))


def request(prompt: Sequence[int] = PROMPTS[0], sample_index: int = 0, limit: int = 12) -> SequenceRequest:
    return SequenceRequest(prompt_ids=tuple(prompt), sample_index=sample_index, max_new_tokens=limit)


def start(lanes: Lanes, chosen: DecodingSettings, requests: Sequence[SequenceRequest]) -> Run:
    return Run(lanes, rule_for(chosen), chosen, requests)


def collect(run: Run, before_step: Callable[[Run, int], None] = lambda run, step: None) -> dict[int, list[Emission]]:
    emitted: dict[int, list[Emission]] = {}
    for step in range(10_000):
        before_step(run, step)
        emissions = run.step()
        if not emissions:
            return emitted
        for emission in emissions:
            emitted.setdefault(emission.sequence, []).append(emission)
    raise AssertionError("the run does not end")


def records(emissions: Sequence[Emission]) -> list[TokenRecord]:
    return [record for emission in emissions for record in emission.records]


def decode(
    lanes: Lanes,
    chosen: DecodingSettings,
    requests: Sequence[SequenceRequest] | None = None,
) -> list[list[int]]:
    asked = requests if requests is not None else [request(prompt) for prompt in PROMPTS]
    emitted = collect(start(lanes, chosen, asked))
    return [[record.token_id for record in records(emitted[index])] for index in range(len(asked))]


@pytest.mark.parametrize("draft_length", [1, 4])
@pytest.mark.parametrize("preset", ["paper", "release", "warped"])
def test_identical_models_accept_every_token_below_threshold_one(preset: str, draft_length: int) -> None:
    chosen = settings(preset=preset, threshold=0.999, draft_length=draft_length)
    emitted = collect(start(two_models(TARGET, TARGET), chosen, [request(sample_index=i) for i in range(20)]))
    all_records = [record for emissions in emitted.values() for record in records(emissions)]
    assert len(all_records) == 20 * 12
    assert {record.origin for record in all_records} == {TokenOrigin.SECURITY}


@pytest.mark.parametrize(
    ("preset", "sampling"),
    [
        ("paper", {}),
        ("warped", {}),
        ("release", {"temperature": 1.0, "top_p": 1.0}),
        ("cosec", {"temperature": 1.0, "top_p": 1.0}),
        ("release", {"temperature": 0.0}),
        ("cosec", {"temperature": 0.0}),
    ],
)
@pytest.mark.parametrize(
    ("threshold", "draft_length"),
    [(1.0, 4), (7.0, 1), *(pytest.param(*both, marks=pytest.mark.slow) for both in ((1.0, 1), (7.0, 4)))],
)
def test_threshold_one_or_more_is_the_target_alone_token_for_token(
    preset: str, sampling: dict[str, float], draft_length: int, threshold: float
) -> None:
    chosen = settings(preset=preset, threshold=threshold, draft_length=draft_length, **sampling)
    alone = settings(**sampling)
    for lanes in (two_models(), two_models(TARGET, TARGET)):
        assert decode(lanes, chosen) == decode(TargetLane(ScriptedModel(TARGET)), alone)


@pytest.mark.parametrize("seed", [0, 2**62, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_draft_length_never_changes_the_text(preset: str, seed: int) -> None:
    texts = [
        decode(two_models(), settings(preset=preset, draft_length=draft_length, seed=seed))
        for draft_length in DRAFT_LENGTHS
    ]
    assert all(text == texts[0] for text in texts)


def test_another_seed_and_another_sample_give_another_text() -> None:
    one, two = (decode(two_models(), settings(seed=seed)) for seed in (0, 1))
    assert one != two
    first, second = decode(two_models(), settings(), [request(sample_index=0), request(sample_index=1)])
    assert first != second


@pytest.mark.parametrize("draft_length", [1, 3])
def test_a_row_alone_equals_the_row_in_any_batch(draft_length: int) -> None:
    chosen = settings(draft_length=draft_length)
    asked = [request(prompt, sample) for sample in range(2) for prompt in PROMPTS]
    alone = [decode(two_models(), chosen, [one])[0] for one in asked]
    assert decode(two_models(), chosen, asked) == alone
    assert decode(two_models(), chosen, asked[::-1]) == alone[::-1]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("draft_length", [1, 4])
def test_temperature_zero_proposes_and_falls_back_to_the_most_likely_token(preset: str, draft_length: int) -> None:
    chosen = settings(preset=preset, threshold=0.2, temperature=0.0, draft_length=draft_length)
    emitted = collect(
        start(two_models(), chosen, [request((first, second)) for first in range(4) for second in (5, 6)])
    )
    origins = set()
    for index, emissions in emitted.items():
        prefix = [index // 2, 5 + index % 2]
        for record in records(emissions):
            security, target = (table[tuple(prefix[-2:])] for table in (SECURITY, TARGET))
            assert record.proposed_id == int(security.argmax())
            wanted = record.proposed_id if record.origin is TokenOrigin.SECURITY else int(target.argmax())
            assert record.token_id == wanted
            origins.add(record.origin)
            prefix.append(record.token_id)
    assert origins == set(TokenOrigin)
    other_seed = chosen.model_copy(update={"sampling": chosen.sampling.model_copy(update={"seed": 99})})
    assert decode(two_models(), chosen) == decode(two_models(), other_seed)


@pytest.mark.parametrize("draft_length", [*range(1, 9), "auto"])
def test_max_new_tokens_is_respected_exactly(draft_length: int | str) -> None:
    for limit in (1, 2, 3, 7):
        chosen = settings(draft_length=draft_length, max_new_tokens=limit)
        emitted = collect(start(two_models(), chosen, [request(prompt, limit=limit) for prompt in PROMPTS]))
        for emissions in emitted.values():
            assert len(records(emissions)) == limit


def test_each_request_keeps_its_own_limit() -> None:
    limits = [1, 9, 4, 2]
    asked = [request(prompt, limit=limit) for prompt, limit in zip(PROMPTS, limits, strict=True)]
    texts = decode(two_models(), settings(draft_length=4), asked)
    assert [len(text) for text in texts] == limits
    assert texts == [text[:limit] for text, limit in zip(decode(two_models(), settings()), limits, strict=True)]


@pytest.mark.parametrize("draft_length", [1, 3])
def test_a_row_that_leaves_does_not_change_the_text_of_the_others(draft_length: int) -> None:
    chosen = settings(draft_length=draft_length)
    whole = decode(two_models(), chosen)

    def drop_second(run: Run, step: int) -> None:
        if step == 2:
            assert run.active == len(PROMPTS)
            run.leave([1])
            assert run.active == len(PROMPTS) - 1

    emitted = collect(start(two_models(), chosen, [request(prompt) for prompt in PROMPTS]), drop_second)
    assert len(emitted[1]) == 2
    assert [record.token_id for record in records(emitted[1])] == whole[1][: len(records(emitted[1]))]
    assert [[record.token_id for record in records(emitted[index])] for index in (0, 2, 3)] == [
        whole[index] for index in (0, 2, 3)
    ]


def test_a_run_that_every_row_has_left_is_empty() -> None:
    run = start(two_models(), settings(), [request(), request(PROMPTS[1])])
    run.step()
    run.leave([0, 1])
    assert run.step() == []
    assert run.active == 0
    run.leave([1])


def test_each_distinct_prompt_is_prefilled_once_in_each_model() -> None:
    lanes = two_models()
    asked = [request(prompt, sample) for sample in range(5) for prompt in PROMPTS[:3]]
    decode(lanes, settings(), asked)
    for model in (lanes._security, lanes._target):
        assert model.log.prefilled == [list(prompt[:-1]) for prompt in PROMPTS[:3]]


def test_finished_rows_are_no_longer_fed() -> None:
    lanes = two_models()
    limits = [1, 2, 3, 20]
    asked = [request(prompt, limit=limit) for prompt, limit in zip(PROMPTS, limits, strict=True)]
    decode(lanes, settings(draft_length=1, max_new_tokens=20), asked)
    assert lanes._security.log.fed == lanes._target.log.fed == sum(limits)
    assert lanes._target.log.passes == max(limits)


def test_drafting_four_tokens_needs_fewer_target_passes_than_drafting_one() -> None:
    passes = {}
    for draft_length in (1, 4):
        lanes = two_models(SECURITY, SECURITY + 0.3 * TARGET)
        chosen = settings(threshold=0.3, draft_length=draft_length, max_new_tokens=60)
        decode(lanes, chosen, [request(limit=60)])
        passes[draft_length] = lanes._target.log.passes
    assert passes[1] == 60
    assert passes[4] < 30


@pytest.mark.parametrize("draft_length", [1, 4])
@pytest.mark.parametrize("preset", ["paper", "release"])
def test_records_say_what_the_tables_say(preset: str, draft_length: int) -> None:
    chosen = settings(preset=preset, draft_length=draft_length, max_new_tokens=50)
    emitted = collect(start(two_models(), chosen, [request(prompt, limit=50) for prompt in PROMPTS]))
    seen = set()
    for index, prompt in enumerate(PROMPTS):
        prefix = [0, 0, *prompt]
        for position, record in enumerate(records(emitted[index])):
            security, target = (table[tuple(prefix[-2:])].log_softmax(-1) for table in (SECURITY, TARGET))
            ratio = min(1.0, float((target[record.proposed_id] - security[record.proposed_id]).exp()))
            assert record.position == position
            assert record.acceptance_ratio == pytest.approx(ratio, rel=1e-5)
            assert record.origin is (TokenOrigin.SECURITY if ratio > 0.4 else TokenOrigin.TARGET)
            if record.origin is TokenOrigin.SECURITY:
                assert record.proposed_id == record.token_id
            assert record.changed == (record.token_id != int(target.argmax()))
            assert record.target_log_prob == pytest.approx(float(target[record.token_id]), rel=1e-5)
            assert record.security_log_prob == pytest.approx(float(security[record.token_id]), rel=1e-5)
            assert record.top_logprobs is None
            seen.add((record.origin, record.changed))
            prefix.append(record.token_id)
    assert len(seen) == 4


def test_totals_count_one_judged_proposal_for_each_emitted_token() -> None:
    emitted = collect(start(two_models(), settings(draft_length=3), [request()]))[0]
    totals = summary(records(emitted))
    assert totals.tokens == totals.drafted == 12
    assert totals.accepted == sum(record.origin is TokenOrigin.SECURITY for record in records(emitted))
    assert 0 < totals.accepted < 12
    assert totals.acceptance_rate == totals.accepted / 12
    assert totals.changed == sum(record.changed for record in records(emitted))


def test_the_target_alone_records_no_proposal() -> None:
    emitted = collect(start(TargetLane(ScriptedModel(TARGET)), settings(), [request()]))[0]
    for record in records(emitted):
        assert record.origin is TokenOrigin.TARGET
        assert record.proposed_id is record.acceptance_ratio is record.security_log_prob is None
        assert record.to_json().keys() == {"position", "token_id", "origin", "changed", "target_log_prob"}
    totals = summary(records(emitted))
    assert (totals.drafted, totals.accepted, totals.acceptance_rate) == (0, 0, None)


@pytest.mark.parametrize("draft_length", [2, 5, 64])
def test_the_target_alone_runs_with_any_draft_length(draft_length: int) -> None:
    lane = TargetLane(ScriptedModel(TARGET))
    assert decode(lane, settings(draft_length=draft_length)) == decode(lane, settings(draft_length=1))


@pytest.mark.parametrize("count", [0, 1, 3, 20])
def test_top_logprobs_are_the_targets_most_likely_tokens(count: int) -> None:
    chosen = settings(top_logprobs=count, draft_length=3)
    prefix = list(PROMPTS[0])
    for record in records(collect(start(two_models(), chosen, [request()]))[0]):
        values, ids = TARGET[tuple(prefix[-2:])].log_softmax(-1).topk(min(count, VOCABULARY))
        assert record.top_logprobs is not None
        assert [token for token, _ in record.top_logprobs] == ids.tolist()
        assert [value for _, value in record.top_logprobs] == pytest.approx(values.tolist(), rel=1e-5)
        prefix.append(record.token_id)


def test_a_rejected_proposal_may_be_repeated_by_the_target() -> None:
    security, target = torch.tensor([0.0, 8.0, 0.0]), torch.tensor([1.0, 1.0, 1.0])
    chosen = settings(threshold=0.9, temperature=1.0, top_p=1.0)
    asked = [request((0,), i, 1) for i in range(300)]
    emitted = collect(start(two_models(security, target), chosen, asked))
    repeated = [
        record
        for emissions in emitted.values()
        for record in records(emissions)
        if record.origin is TokenOrigin.TARGET and record.token_id == record.proposed_id
    ]
    assert 60 < len(repeated) < 140  # a third: the fallback is the target itself, not a residual


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
@pytest.mark.parametrize("damaged", ["target", "security"])
def test_numbers_that_are_not_finite_end_the_run_and_name_the_model(
    damaged: str, damage: float, temperature: float
) -> None:
    models = {"security": torch.zeros(VOCABULARY), "target": torch.zeros(VOCABULARY)}
    models[damaged][3] = damage
    run = start(two_models(**models), settings(temperature=temperature, draft_length=2), [request()])
    with pytest.raises(ModelError, match=f"The {damaged} model produced scores.*--dtype float32"):
        run.step()
