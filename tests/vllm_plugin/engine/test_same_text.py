"""The engine writes what CoSec's own loop writes: same seed, same text, at every draft length."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.evaluation.environment import environment
from cosec.files import write_atomically
from cosec.vllm_plugin import VLLM_VERSION, PluginSettings
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
RECORD = os.environ.get("COSEC_VLLM_RECORD")
PROMPTS = int(os.environ.get("COSEC_VLLM_PROMPTS", "50"))


def settings(rule: dict[str, object], sampling: dict[str, float], seed: int) -> DecodingSettings:
    own = {"top_p": 1.0, "max_new_tokens": TOKENS, "draft_length": 4, "seed": seed}
    return decoding_settings(rule, {**own, **sampling})


def vllm_params(rule: dict[str, object], sampling: dict[str, float], seed: int) -> Any:
    from vllm import SamplingParams

    given = {f"cosec_{'rule' if name == 'name' else name}": value for name, value in rule.items()}
    return SamplingParams(max_tokens=TOKENS, ignore_eos=True, seed=seed, extra_args=given, **sampling)


@dataclass(frozen=True)
class Difference:
    """The first place at which a text differs from our own engine's."""

    prompt: int
    place: int
    token: int
    wanted: int
    gaps: dict[str, float]
    """For each model, by how much the wanted token's log-probability exceeds the other's, in float32."""


def differences(
    reference: Reference, prompts: list[list[int]], found: list[list[int]], wanted: list[list[int]]
) -> list[Difference]:
    reports = []
    for row, (one, other) in enumerate(zip(found, wanted, strict=True)):
        if one != other:
            at = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            logits = {
                role: reference.logits(role, [[*prompts[row], *other[:at]]])[0].log_softmax(-1)
                for role in reference.models
            }
            gaps = {role: round(float(each[other[at]] - each[one[at]]), 5) for role, each in logits.items()}
            reports.append(Difference(row, at, one[at], other[at], gaps))
    return reports


@pytest.mark.parametrize(
    ("sampling", "draft_length", "dtype"),
    [
        ("greedy", 4, "float32"),
        ("greedy", 1, "float32"),
        ("greedy", 4, "bfloat16"),
        ("sampled", 4, "float32"),
        ("sampled", 1, "float32"),
        ("top-k", 4, "float32"),
    ],
)
def test_texts_are_those_of_our_own_engine(sampling: str, draft_length: int, dtype: str) -> None:
    started = time.monotonic()
    values = SAMPLINGS[sampling]
    reference = Reference("mild", base="base", dtype=getattr(torch, dtype))
    exact = reference if dtype == "float32" else Reference("mild", base="base")
    rules: dict[str, list[Difference]] = {}
    rounded: dict[str, int] = {}
    """How many texts of our own engine the rounding to bfloat16 changes."""

    with engine("mild", draft_length, PluginSettings(base=model_folder("base")), dtype=dtype) as llm:
        for name, rule in RULES.items():
            count = PROMPTS if name == "threshold" or sampling == "greedy" else 10
            prompts = prompt_ids(PROMPTS)[:count]
            params = [vllm_params(rule, values, seed) for seed in range(count)]
            found = [samples[0] for samples in generate(llm, prompts, params)]
            given = [settings(rule, values, seed) for seed in range(count)]
            wanted = reference.texts(prompts, given)
            rules[name] = differences(exact, prompts, found, wanted)
            if exact is not reference:
                rounded[name] = len(differences(exact, prompts, wanted, exact.texts(prompts, given)))
            _logger.info("%s, %s, k=%d: of %d these differ: %s", name, sampling, draft_length, count, rules[name])
    if RECORD:
        record = {
            "command": f"COSEC_VLLM_RECORD=DIR python -m pytest -m vllm {Path(__file__).name} -k {sampling}",
            "sampling": values,
            "draft_length": draft_length,
            "dtype": dtype,
            "prompts": PROMPTS,
            "tokens": TOKENS,
            "rules": {name: {"settings": RULES[name], "different": list(map(asdict, rules[name]))} for name in RULES},
            "own_texts_that_rounding_changes": rounded,
            "seconds": round(time.monotonic() - started),
            "environment": environment() | {"vllm": VLLM_VERSION},
        }
        file = Path(RECORD) / f"same-text-{sampling}-k{draft_length}-{dtype}.json"
        write_atomically(file, json.dumps(record) + "\n")
    # Two implementations of the models differ in the last digits, which decides a draw now and then. In bfloat16 they
    # may differ as often as our own engine differs from itself in float32, up to three standard errors.
    different, allowed = sum(map(len, rules.values())), 3.0
    if exact is not reference:
        texts, changed = PROMPTS * len(RULES), sum(rounded.values())
        allowed = changed + 3 * (2 * changed * (1 - changed / texts)) ** 0.5
    assert different <= allowed, rules
