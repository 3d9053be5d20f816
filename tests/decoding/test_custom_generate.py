from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria
from transformers.generation.streamers import BaseStreamer

from cosec.decoding.custom_generate import CoDecoding
from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import PairedLanes
from cosec.decoding.pairing import PreparedPair
from cosec.decoding.rules import rule_for
from cosec.decoding.rules.schema import AnyRule, SteerSettings, ThresholdSettings
from cosec.decoding.settings import DecodingSettings, SamplingSettings
from cosec.errors import PromptError, SettingsError
from tests.decoding.pairs import separate_pair, shared_folders, shared_pair
from tests.tiny import CONTEXT_LENGTH

PROMPTS = [[5, 6, 7, 8, 9], [10, 11], [12]]
PAD = END = 0  # as the tiny models' configurations say
UNSAID = object()
"""Stands for an argument of ``generate`` that the call leaves out."""


def left_padded(prompts: list[list[int]], device: torch.device | str = "cpu") -> dict[str, Tensor]:
    width = max(map(len, prompts))
    ids = [[PAD] * (width - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return {
        "input_ids": torch.tensor(ids, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }


def engine_run(
    pair: PreparedPair,
    prompts: list[list[int]] = PROMPTS,
    samples: int = 1,
    stop: frozenset[int] = frozenset({END}),
    rule: AnyRule | None = None,
    **sampling: object,
) -> list[list[int]]:
    chosen = DecodingSettings(
        rule=rule or ThresholdSettings(),
        sampling=SamplingSettings(**{"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 12, "seed": 3, **sampling}),
    )
    requests = [
        SequenceRequest(prompt_ids=tuple(prompt), sample_index=sample, max_new_tokens=chosen.sampling.max_new_tokens)
        for prompt in prompts
        for sample in range(samples)
    ]
    run = Run(pair.lanes(1), rule_for(chosen), chosen, requests)
    emitted: list[list[int]] = [[] for _ in requests]
    while emissions := run.step():
        for emission in emissions:
            emitted[emission.sequence].extend(record.token_id for record in emission.records)
    ends = [next((place for place, token in enumerate(tokens) if token in stop), len(tokens)) for tokens in emitted]
    return [tokens[: end + 1] for tokens, end in zip(emitted, ends, strict=True)]


def assert_completions(output: Tensor, width: int, expected: list[list[int]]) -> None:
    assert output.shape == (len(expected), width + max(map(len, expected)))
    for row, tokens in enumerate(expected):
        completion = output[row, width:].tolist()
        assert completion[: len(tokens)] == tokens
        assert set(completion[len(tokens) :]) <= {PAD}


def generate(pair: PreparedPair, prompts: list[list[int]] = PROMPTS, **arguments: object) -> Tensor:
    given = {"custom_generate": CoDecoding(pair, seed=3), "max_new_tokens": 12, "do_sample": True, "top_k": 0}
    model = pair.pair.target.model
    chosen = {name: value for name, value in {**given, **arguments}.items() if value is not UNSAID}
    return model.generate(**left_padded(prompts, model.device), **chosen)


@pytest.mark.parametrize("draft_length", [1, 3, "auto"])
def test_a_left_padded_batch_equals_the_engine(pair: PreparedPair, draft_length: int | str) -> None:
    method = CoDecoding(pair, seed=3, draft_length=draft_length)
    output = generate(pair, custom_generate=method)
    assert torch.equal(output[:, :5].cpu(), left_padded(PROMPTS)["input_ids"])
    assert_completions(output, 5, engine_run(pair, PROMPTS))


def test_an_adapters_own_rule_decides_where_none_is_named(tmp_path: Path) -> None:
    _, adapter = shared_folders(tmp_path)
    (adapter / "rule.toml").write_text('[rule]\nname = "steer"\nstrength = 3.0\n')
    pair = shared_pair(tmp_path)
    own = generate(pair)
    assert torch.equal(
        own, generate(pair, custom_generate=CoDecoding(pair, seed=3, rule={"name": "steer", "strength": 3}))
    )
    assert not torch.equal(own, generate(pair, custom_generate=CoDecoding(pair, seed=3, rule={})))


def test_the_target_does_not_run_where_it_changes_no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = shared_pair(tmp_path)
    expected = engine_run(pair, rule=SteerSettings(strength=1.0))
    monkeypatch.setattr(PairedLanes, "advance", None)
    method = CoDecoding(pair, seed=3, rule={"name": "steer", "strength": 1.0})
    assert_completions(generate(pair, custom_generate=method), 5, expected)


def test_several_sequences_for_each_prompt_are_its_samples(pair: PreparedPair) -> None:
    output = generate(pair, num_return_sequences=3)
    assert_completions(output, 5, engine_run(pair, PROMPTS, samples=3))
    assert len({tuple(row.tolist()) for row in output}) == 9


def test_temperature_and_top_p_keep_their_meaning(separate: PreparedPair) -> None:
    output = generate(separate, temperature=0.6, top_p=0.8)
    assert_completions(output, 5, engine_run(separate, PROMPTS, temperature=0.6, top_p=0.8))


def test_without_sampling_both_models_take_their_most_likely_token(separate: PreparedPair) -> None:
    output = generate(separate, do_sample=False, top_k=None)
    assert_completions(output, 5, engine_run(separate, PROMPTS, temperature=0.0))


def test_an_end_token_of_the_call_ends_a_row_and_the_rest_is_padded(separate: PreparedPair) -> None:
    stop = engine_run(separate, stop=frozenset())[0][4]
    expected = engine_run(separate, stop=frozenset({stop}))
    assert len(expected[0]) <= 5 < max(map(len, expected))
    assert_completions(generate(separate, eos_token_id=stop, pad_token_id=PAD), 5, expected)


def test_without_a_seed_texts_follow_torchs_generator(separate: PreparedPair) -> None:
    outputs = []
    for seed in (1, 1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            outputs.append(generate(separate, custom_generate=CoDecoding(separate)))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_threshold_one_is_the_models_own_greedy_generation(pair: PreparedPair) -> None:
    model = pair.pair.target.model
    own = model.generate(**left_padded(PROMPTS, model.device), max_new_tokens=12, do_sample=False)
    method = CoDecoding(pair, rule={"threshold": 1.0})
    assert torch.equal(generate(pair, custom_generate=method, do_sample=False, top_k=None), own)


def test_a_completion_never_leaves_the_context(separate: PreparedPair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    prompts = [[index % 50 + 2 for index in range(CONTEXT_LENGTH - 3)], [4]]
    output = generate(separate, prompts, max_new_tokens=20, eos_token_id=319, pad_token_id=318)
    assert 1 <= int((output[0, CONTEXT_LENGTH - 3 :] != 318).sum()) <= 3
    with pytest.raises(PromptError, match=f"{CONTEXT_LENGTH} tokens.*context"):
        generate(separate, [[4] * CONTEXT_LENGTH])


class _Doubled(LogitsProcessor):
    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores * 2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"repetition_penalty": 1.3}, "RepetitionPenalty"),
        ({"min_p": 0.2}, "MinP"),
        ({"typical_p": 0.5}, "Typical"),
        ({"no_repeat_ngram_size": 2}, "NoRepeatNGram"),
        ({"bad_words_ids": [[4]]}, "NoBadWords"),
        ({"logits_processor": LogitsProcessorList([_Doubled()])}, "_Doubled"),
        ({"logits_processor": LogitsProcessorList([TopKLogitsWarper(7)])}, "TopKLogitsWarper"),
        ({"logits_processor": LogitsProcessorList([TopPLogitsWarper(0.5)])}, "TopPLogitsWarper"),
        ({"logits_processor": LogitsProcessorList([TemperatureLogitsWarper(0.2)])}, "TemperatureLogitsWarper"),
        ({"stopping_criteria": StoppingCriteriaList([MaxLengthCriteria(6)])}, "MaxLengthCriteria"),
        ({"stopping_criteria": StoppingCriteriaList([EosTokenCriteria(13)])}, "EosTokenCriteria"),
        ({"top_p": 0.0}, "top_p"),
        ({"max_time": 5.0}, "MaxTime"),
        ({"return_dict_in_generate": True}, "return_dict_in_generate"),
        ({"num_beams": 3}, "beam"),
        ({"penalty_alpha": 0.6, "do_sample": False, "top_k": 4}, "contrastive"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    separate: PreparedPair, arguments: dict[str, object], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        generate(separate, **arguments)


def test_what_the_models_own_configuration_asks_for_can_be_turned_off(separate: PreparedPair) -> None:
    config = GenerationConfig(repetition_penalty=1.1, max_new_tokens=12, do_sample=True)
    with pytest.raises(SettingsError, match="the model's own generation_config"):
        generate(separate, generation_config=config)
    output = generate(separate, generation_config=config, repetition_penalty=1.0)
    assert_completions(output, 5, engine_run(separate, PROMPTS))


def test_top_k_keeps_its_meaning_and_its_default(separate: PreparedPair) -> None:
    assert_completions(generate(separate, top_k=3), 5, engine_run(separate, PROMPTS, top_k=3))
    assert_completions(generate(separate, top_k=UNSAID), 5, engine_run(separate, PROMPTS, top_k=50))
    assert_completions(generate(separate, top_k=None), 5, engine_run(separate, PROMPTS))
    config = GenerationConfig(top_k=3, do_sample=True, max_new_tokens=12)
    output = generate(separate, generation_config=config, max_new_tokens=UNSAID, top_k=UNSAID, do_sample=UNSAID)
    assert_completions(output, 5, engine_run(separate, PROMPTS, top_k=3))


def test_without_sampling_no_cut_matters(separate: PreparedPair) -> None:
    assert torch.equal(generate(separate, do_sample=False, top_p=0.0), generate(separate, do_sample=False))


def test_another_target_model_is_refused(separate: PreparedPair, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = separate_pair(tmp_path_factory.mktemp("other"))
    with pytest.raises(SettingsError, match="another target model"):
        generate(other, custom_generate=CoDecoding(separate))


def test_an_impossible_setting_is_refused(separate: PreparedPair) -> None:
    with pytest.raises(SettingsError, match="draft_length"):
        generate(separate, custom_generate=CoDecoding(separate, draft_length=0))
    with pytest.raises(SettingsError, match=r"such as \{'name': 'gate'\}"):
        CoDecoding(separate, rule="gate")  # type: ignore[arg-type]


class _Listener(BaseStreamer):
    def __init__(self) -> None:
        self.heard: list[int] = []
        self.ended = False

    def put(self, value: Tensor) -> None:
        self.heard.extend(value.flatten().tolist())

    def end(self) -> None:
        self.ended = True


def test_a_streamer_hears_the_prompt_and_every_token(separate: PreparedPair) -> None:
    listener = _Listener()
    output = generate(separate, PROMPTS[:1], custom_generate=CoDecoding(separate, seed=3, streamer=listener))
    assert listener.heard == output[0].tolist()
    assert listener.ended
    with pytest.raises(SettingsError, match="one row"):
        generate(separate, custom_generate=CoDecoding(separate, streamer=listener))
