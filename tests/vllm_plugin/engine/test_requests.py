"""What a request may ask for: its own rule, several samples, stop texts, log-probabilities; and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cosec.vllm_plugin import PluginSettings
from tests.vllm_plugin.engine.engines import engine, generate
from tests.vllm_plugin.engine.models import Reference
from tests.vllm_plugin.engine.prompts import prompt_ids
from tests.vllm_plugin.engine.test_same_text import settings

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1800), pytest.mark.filterwarnings("ignore")]

SAMPLING: dict[str, Any] = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 24, "ignore_eos": True}


@pytest.fixture(scope="module")
def llm() -> Iterator[Any]:
    with engine("strong", 3, PluginSettings(rule={"name": "threshold", "threshold": 0.3}, base="target")) as started:
        yield started


def params(**changed: Any) -> Any:
    from vllm import SamplingParams

    return SamplingParams(**{**SAMPLING, **changed})


def refusals() -> tuple[type[Exception], ...]:
    """What vLLM's server answers with status 400."""
    from vllm.exceptions import VLLMClientError

    return ValueError, VLLMClientError


def texts_of(rule: dict[str, object], prompts: list[list[int]], seed: int) -> list[list[int]]:
    return Reference("strong").texts(prompts, [settings(rule, {"temperature": 0.8, "top_p": 0.9}, seed)] * len(prompts))


def test_requests_with_different_rules_share_a_batch(llm: Any) -> None:
    rules: list[dict[str, object]] = [
        {"name": "threshold", "threshold": 0.3},
        {"name": "threshold", "threshold": 0.9},
        {"name": "gate", "strength": 0.02},
        {"name": "steer", "strength": 1.5},
        {"name": "speculative"},
    ]
    prompt = prompt_ids(1)[0]
    asked = [
        params(seed=1, extra_args={f"cosec_{'rule' if name == 'name' else name}": one for name, one in rule.items()})
        for rule in rules
    ]
    found = [samples[0] for samples in generate(llm, [prompt] * len(rules), asked)]
    assert found == [texts_of(rule, [prompt], 1)[0] for rule in rules]
    assert len({tuple(text) for text in found}) > 2


def test_a_request_without_arguments_gets_the_servers_rule(llm: Any) -> None:
    prompts = prompt_ids(3)
    found = [samples[0] for samples in generate(llm, prompts, params(seed=4))]
    assert found == texts_of({"name": "threshold", "threshold": 0.3}, prompts, 4)


def test_samples_of_one_prompt_are_those_of_the_seeds_that_follow(llm: Any) -> None:
    prompt = prompt_ids(1)[0]
    (found,) = generate(llm, [prompt], params(seed=4, n=3))
    assert found == [texts_of({"name": "threshold"}, [prompt], seed)[0] for seed in (4, 5, 6)]


def test_requests_without_a_seed_differ(llm: Any) -> None:
    (found,) = generate(llm, prompt_ids(1), params(n=4))
    assert len({tuple(text) for text in found}) == 4


def test_a_text_ends_before_a_stop_text(llm: Any) -> None:
    prompt = prompt_ids(1)[0]
    (whole,) = llm.generate([{"prompt_token_ids": prompt}], params(seed=1), use_tqdm=False)
    text = whole.outputs[0].text
    stop = text[8:11]
    (ended,) = llm.generate([{"prompt_token_ids": prompt}], params(seed=1, stop=[stop]), use_tqdm=False)
    assert ended.outputs[0].text == text[: text.index(stop)]
    assert ended.outputs[0].finish_reason == "stop"


def test_the_length_limit_is_exact_at_every_draft_length(llm: Any) -> None:
    for limit in (1, 2, 3, 4, 7):
        (found,) = generate(llm, prompt_ids(1), params(seed=1, max_tokens=limit))
        assert len(found[0]) == limit


def test_logprobs_are_the_targets_of_what_was_emitted(llm: Any) -> None:
    prompt = prompt_ids(1)[0]
    asked = params(seed=2, logprobs=2, prompt_logprobs=0)
    (output,) = llm.generate([{"prompt_token_ids": prompt}], asked, use_tqdm=False)
    sample, reference = output.outputs[0], Reference("strong")
    tokens = list(sample.token_ids)
    assert len(sample.logprobs) == len(tokens)
    for place, token in enumerate(tokens):
        expected = reference.logits("target", [[*prompt, *tokens[:place]]])[0].log_softmax(-1)
        assert sample.logprobs[place][token].logprob == pytest.approx(float(expected[token]), abs=1e-3)
        best = max(sample.logprobs[place].values(), key=lambda one: one.logprob)
        assert best.logprob == pytest.approx(float(expected.max()), abs=1e-3)
    assert len(output.prompt_logprobs) == len(prompt)
    expected = reference.logits("target", [prompt[:-1]])[0].log_softmax(-1)
    assert output.prompt_logprobs[-1][prompt[-1]].logprob == pytest.approx(float(expected[prompt[-1]]), abs=1e-3)


def test_a_text_ends_where_a_draft_no_longer_fits(llm: Any) -> None:
    prompt = (prompt_ids(1)[0] * 100)[:490]
    (output,) = llm.generate([{"prompt_token_ids": prompt}], params(seed=1, max_tokens=20), use_tqdm=False)
    assert len(prompt) + len(output.outputs[0].token_ids) == 512 - 2 * 3 + 1
    assert output.outputs[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"extra_args": {"cosec_rule": "gates"}}, "no rule"),
        ({"extra_args": {"cosec_treshold": 0.3}}, "cosec_treshold"),
        ({"extra_args": {"cosec_threshold": "high"}}, "threshold"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"min_tokens": 3}, "min_tokens"),
        ({"logit_bias": {5: 1.0}}, "logit_bias"),
    ],
)
def test_what_cannot_be_decided_by_a_rule_is_refused_and_the_engine_goes_on(
    llm: Any, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(refusals(), match=said):
        generate(llm, prompt_ids(1), params(**changed))
    assert generate(llm, prompt_ids(1), params(seed=1, max_tokens=2))


def test_beam_search_is_refused(llm: Any) -> None:
    """It would choose tokens by the log-probabilities that it asks for, which are the target's."""
    from vllm.sampling_params import BeamSearchParams

    with pytest.raises(refusals(), match="Beam search"):
        llm.beam_search([{"prompt_token_ids": prompt_ids(1)[0]}], BeamSearchParams(beam_width=2, max_tokens=2))


@pytest.mark.parametrize("length", [1, 507])
def test_prompts_that_cannot_be_drafted_for_are_refused(llm: Any, length: int) -> None:
    with pytest.raises(refusals(), match="2 to 506 tokens"):
        generate(llm, [[17] * length], params())


def test_a_request_that_gets_past_the_front_end_ends_with_an_error(llm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vllm.v1.engine.input_processor import InputProcessor

    monkeypatch.setattr(InputProcessor, "_validate_prompt_len", lambda *args: None)
    (output,) = llm.generate([{"prompt_token_ids": [17]}], params(), use_tqdm=False)
    assert output.outputs[0].finish_reason == "error"
    assert not output.outputs[0].token_ids
    assert generate(llm, prompt_ids(1), params(seed=1, max_tokens=2))
