"""The sizes in docs/scale.md are those of the models' code, and its tables are what the script computes."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers import CodeGenConfig, GPTBigCodeConfig, LlamaConfig, PreTrainedConfig, Qwen2Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.models.description import cache_values_per_token

ROOT = Path(__file__).parents[2]
MODELS = (
    "Salesforce/codegen-350M-multi",
    "bigcode/starcoderbase-1b",
    "deepseek-ai/deepseek-coder-33b-base",
    "Qwen/Qwen2.5-Coder-0.5B",
    "Qwen/Qwen2.5-Coder-7B",
)
"""One of each architecture, and of both kinds of head."""


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    specification = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def configuration(shape: object) -> PreTrainedConfig:
    """The configuration of a shape for transformers."""
    one: dict[str, int] = {name: getattr(shape, name) for name in ("layers", "hidden", "heads", "inner", "vocabulary")}
    gpt = {"n_layer": one["layers"], "n_embd": one["hidden"], "n_head": one["heads"], "n_inner": one["inner"]}
    rotary = {"num_hidden_layers": one["layers"], "hidden_size": one["hidden"], "num_attention_heads": one["heads"]}
    rotary |= {"intermediate_size": one["inner"], "num_key_value_heads": shape.kv_heads}
    shared = {"vocab_size": one["vocabulary"], "tie_word_embeddings": shape.tied}
    if shape.architecture == "codegen":
        return CodeGenConfig(**gpt, **shared)
    if shape.architecture == "gpt_bigcode":
        return GPTBigCodeConfig(**gpt, **shared, n_positions=shape.positions, multi_query=shape.kv_heads == 1)
    return {"llama": LlamaConfig, "qwen2": Qwen2Config}[shape.architecture](**rotary, **shared)


@pytest.mark.parametrize("name", MODELS)
def test_weights_and_caches_are_those_of_the_models_own_code(name: str, scale: ModuleType) -> None:
    shape = scale.shapes()[name]
    config = configuration(shape)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    assert shape.parameters == sum(values.numel() for values in model.parameters())
    looked_up = [one for one in model.modules() if isinstance(one, torch.nn.Embedding)]
    head = model.get_output_embeddings().weight
    unused = sum(one.weight.numel() for one in looked_up if one.weight is not head)
    assert shape.multiplied == shape.parameters - unused
    assert shape.cache_bytes(1) == cache_values_per_token(config.to_dict())


def test_heads_are_divided_among_gpus_and_copied_where_they_are_too_few(scale: ModuleType) -> None:
    shape = scale.shapes()["Qwen/Qwen2.5-Coder-7B"]
    assert shape.kv_heads == 4
    whole = shape.cache_bytes(2)
    assert [shape.cache_bytes(2, parts) for parts in (1, 2, 4, 8)] == [whole, whole / 2, whole / 4, whole / 4]


def test_vllm_divides_a_pair_only_among_gpus_that_divide_the_heads_of_both(scale: ModuleType) -> None:
    pairs = dict(scale.pairs(scale.GPUS["h100"]))
    pair = pairs["Qwen2.5-Coder-7B, Qwen2.5-Coder-0.5B"]
    assert (pair.target.heads, pair.security.heads) == (28, 14)
    assert [count for count in range(1, 9) if replace(pair, gpus=count).is_divisible] == [1, 2, 7]
    crowded = scale.Load(sequences=10_000, tokens=4096, acceptance=0.8)
    assert scale.fewest(pair, crowded, 0.1) is None
    assert "| - |" in scale.rate_table(scale.GPUS["h100"], crowded, 0.1, 0.6)[-1]
    assert "| - |" in scale.time_table(scale.GPUS["h100"], crowded, 0.1)[-1]


def test_the_ratio_of_rates_is_the_formula_of_the_method(scale: ModuleType) -> None:
    load = scale.Load(sequences=8, tokens=1000, acceptance=0.7)
    for _, one in scale.pairs(scale.GPUS["h100"]):
        for pair in (one, replace(one, with_base=True, gpus=2)):
            for k in (1, 3, 8):
                expected = (1 - 0.7**k) / (1 - 0.7) / (k * pair.cost(load) + pair.verification(load, k))
                assert pair.rate(load, k) / pair.target_rate(load) == pytest.approx(expected)


def test_what_fits_fills_the_memory_and_no_more(scale: ModuleType) -> None:
    load = scale.Load(sequences=1, tokens=4096, acceptance=0.8)
    for _, pair in scale.pairs(scale.GPUS["h100"]):
        sized = replace(pair, gpus=4)
        room = sized.room(load, 0.1)
        one = load.tokens * sized.cache_bytes(2)
        free = sized.gpu.memory * 0.9 - sized.weight_bytes(2)
        assert room * one <= free < (room + 1) * one


def test_a_long_batch_is_bound_by_arithmetic(scale: ModuleType) -> None:
    (_, pair), *_ = scale.pairs(scale.GPUS["h100"])
    short, long = (scale.Load(sequences=count, tokens=1, acceptance=0.8) for count in (1, 100_000))
    assert pair.pass_seconds(pair.target, short, 2) == pair.pass_seconds(pair.target, short, 1)
    assert pair.pass_seconds(pair.target, long, 2) == pytest.approx(2 * pair.pass_seconds(pair.target, long, 1))


def test_the_document_shows_what_the_script_computes(scale: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    scale.main([])
    document = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for table in capsys.readouterr().out.strip().split("\n\n"):
        assert table in document
