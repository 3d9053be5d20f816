"""Tokens emitted over llama.cpp follow the closed form, computed from transformers' logits on the same weights."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.stats import chisquare
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, ThreeModelLanes, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import DecodingSettings, decoding_settings
from cosec.models.adapters import Adapter
from cosec.models.gguf_adapter import write_gguf_adapter
from cosec.runtime.llama_cpp.context import Context
from cosec.runtime.llama_cpp.token_model import LlamaTokenModel
from cosec.runtime.llama_cpp.weights import Weights
from tests.decoding.law import Vector, law_at, lossless_law, position_law
from tests.models.gguf_file import write_gguf
from tests.models.lora import ALPHA, RANK, adapter_weights

VOCABULARY = 6
PROMPT = (1, 2)
SAMPLING = {"temperature": 0.8, "top_p": 0.9}
ROWS = 200
THRESHOLD = {"name": "threshold", "preset": "paper", "threshold": 0.4}
RULES: dict[str, dict[str, object]] = {
    "threshold": THRESHOLD,
    "release": {**THRESHOLD, "preset": "release"},
    "warped": {**THRESHOLD, "preset": "warped"},
    "speculative": {"name": "speculative"},
    "steer": {"name": "steer", "strength": 1.5},
    "gate": {"name": "gate", "strength": 0.02, "plausibility_floor": 0.1},
    "gate steered": {"name": "gate", "strength": 0.02, "decision": "steered", "steering_strength": 1.5},
}
DEFAULT = {("threshold", 4), ("gate", 4), ("steer", 1)}
CASES = [
    pytest.param(rule, k, marks=[] if (rule, k) in DEFAULT else [pytest.mark.slow]) for rule in RULES for k in (1, 3, 4)
]


def tiny(seed: int) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


class Models:
    """A target, and an adapter on a base of its own: in llama.cpp, and merged in transformers."""

    def __init__(self, folder: Path) -> None:
        self.target, self.base = tiny(1), tiny(2)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            torch.manual_seed(3)
            config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
            adapted = get_peft_model(tiny(2), config)
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(parameter, std=0.2)
        weights, scales = adapter_weights(adapted)
        adapter = Adapter(path=folder, base_name=None, base_sha256=None, weights=weights, scales=scales)
        write_gguf_adapter(adapter, self.base.config.to_dict(), folder / "adapter.gguf")
        self.security = adapted.merge_and_unload()
        opened = [
            Weights(write_gguf(model, folder / f"{name}.gguf", with_tokenizer=False), name)
            for name, model in (("target", self.target), ("base", self.base))
        ]
        contexts = (
            Context(opened[0]),
            Context(opened[1], opened[1].adapter(folder / "adapter.gguf")),
            Context(opened[1]),
        )
        self.in_llama_cpp = [LlamaTokenModel(context, VOCABULARY) for context in contexts]

    def lanes(self, *, base: bool) -> Lanes:
        target, security, plain = self.in_llama_cpp
        return ThreeModelLanes(security, target, plain) if base else TwoModelLanes(security, target)

    def law(self, rule: dict[str, object], depth: int) -> Vector:
        @cache
        def logits(which: int, prefix: tuple[int, ...]) -> Vector:
            model = (self.target, self.security, self.base)[which]
            with torch.inference_mode():
                return model(torch.tensor([prefix])).logits[0, -1].double().numpy()

        @cache
        def law(prefix: tuple[int, ...]) -> Vector:
            target, security, base = (logits(which, prefix) for which in range(3))
            if rule["name"] == "threshold":
                preset, threshold = str(rule["preset"]), float(rule["threshold"])  # type: ignore[arg-type]
                return position_law(security, target, preset=preset, threshold=threshold, **SAMPLING)
            return lossless_law(target, security, base, rule, **SAMPLING)

        return law_at(depth, list(PROMPT), lambda prefix: law(tuple(prefix)))


@pytest.fixture(scope="module")
def models(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("law"))


def draw(lanes: Lanes, chosen: DecodingSettings, draws: int) -> np.ndarray:
    texts: list[list[int]] = []
    for start in range(0, draws, ROWS):
        requests = [SequenceRequest(prompt_ids=PROMPT, sample_index=start + i, max_new_tokens=3) for i in range(ROWS)]
        run = Run(lanes, rule_for(chosen), chosen, requests)
        batch: list[list[int]] = [[] for _ in requests]
        while emissions := run.step():
            for emission in emissions:
                batch[emission.sequence].extend(record.token_id for record in emission.records)
        texts.extend(batch)
    return np.array(texts)


@pytest.mark.parametrize(("rule", "draft_length"), CASES)
def test_emitted_tokens_follow_the_closed_form(models: Models, rule: str, draft_length: int) -> None:
    chosen = decoding_settings(RULES[rule], {**SAMPLING, "max_new_tokens": 3, "draft_length": draft_length, "seed": 7})
    tokens = draw(models.lanes(base=chosen.rule.contrast == "base"), chosen, draws=4_000)
    for depth in (0, 2):
        law = models.law(RULES[rule], depth)
        counts = np.bincount(tokens[:, depth], minlength=VOCABULARY)
        assert counts[law == 0].sum() == 0, "a token without probability was emitted"
        possible = law > 0
        assert chisquare(counts[possible], law[possible] * counts.sum()).pvalue > 0.005


def test_the_draws_would_notice_the_law_of_another_rule(models: Models) -> None:
    chosen = decoding_settings(RULES["steer"], {**SAMPLING, "max_new_tokens": 3, "draft_length": 3, "seed": 7})
    counts = np.bincount(draw(models.lanes(base=True), chosen, draws=4_000)[:, 2], minlength=VOCABULARY)
    law = models.law(RULES["speculative"], 2)
    possible = law > 0
    assert chisquare(counts[possible], law[possible] * counts[possible].sum()).pvalue < 1e-6
