"""The engine writes what CoSec's own loop writes: same seed, same text, at every draft length."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest

from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.vllm_plugin import PluginSettings
from tests.vllm_plugin.engine.engines import engine, generate
from tests.vllm_plugin.engine.models import Reference, model_folder
from tests.vllm_plugin.engine.prompts import prompt_ids

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(3600), pytest.mark.filterwarnings("ignore")]

_logger = logging.getLogger(__name__)
TOKENS = 24
RULES: dict[str, dict[str, object]] = {
    "threshold": {},
    "warped": {"name": "threshold", "preset": "warped", "threshold": 0.5},
    "gate": {"name": "gate", "strength": 0.05},
    "steer": {"name": "steer", "strength": 2.0},
}
SAMPLINGS: dict[str, dict[str, float]] = {
    "greedy": {"temperature": 0.0},
    "sampled": {"temperature": 0.8, "top_p": 0.9},
    "top-k": {"temperature": 1.0, "top_k": 20},
}
PROMPTS = int(os.environ.get("COSEC_VLLM_PROMPTS", "50"))


def settings(rule: dict[str, object], sampling: dict[str, float], seed: int) -> DecodingSettings:
    own = {"top_p": 1.0, "max_new_tokens": TOKENS, "draft_length": 4, "seed": seed}
    return decoding_settings(rule, {**own, **sampling})


def vllm_params(rule: dict[str, object], sampling: dict[str, float], seed: int) -> Any:
    from vllm import SamplingParams

    given = {f"cosec_{'rule' if name == 'name' else name}": value for name, value in rule.items()}
    return SamplingParams(max_tokens=TOKENS, ignore_eos=True, seed=seed, extra_args=given, **sampling)


def different(found: list[list[int]], wanted: list[list[int]]) -> list[str]:
    """The first place at which each text differs."""
    reports = []
    for row, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != other:
            at = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            reports.append(f"prompt {row} from token {at}: {one[at : at + 3]} instead of {other[at : at + 3]}")
    return reports


@pytest.mark.parametrize("draft_length", [1, 4])
def test_texts_are_those_of_our_own_engine(draft_length: int) -> None:
    prompts = prompt_ids(PROMPTS)
    reference = Reference("mild", base="base")
    problems: dict[str, list[str]] = {}
    with engine("mild", draft_length, PluginSettings(base=model_folder("base"))) as llm:
        for rule_name, rule in RULES.items():
            for sampling_name, sampling in SAMPLINGS.items():
                count = PROMPTS if rule_name == "threshold" or sampling_name == "greedy" else 10
                seeds = range(count)
                params = [vllm_params(rule, sampling, seed) for seed in seeds]
                found = [samples[0] for samples in generate(llm, prompts[:count], params)]
                wanted = reference.texts(prompts[:count], [settings(rule, sampling, seed) for seed in seeds])
                reports = different(found, wanted)
                _logger.info(
                    "%s, %s: %d of %d equal %s", rule_name, sampling_name, count - len(reports), count, reports
                )
                problems[f"{rule_name}, {sampling_name}"] = reports
    # Two implementations of the models differ in the last digits, which decides a draw now and then.
    assert sum(map(len, problems.values())) <= 3, problems
