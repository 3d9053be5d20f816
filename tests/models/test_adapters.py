"""Adapters are read as peft reads them, or refused with a reason."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from cosec.errors import AdapterError
from cosec.models.adapters import Adapter, check_fits, merge_adapter, read_adapter
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, save_tiny, save_tiny_adapter, tiny_config, tiny_model

TOKEN_IDS = torch.arange(3, 27).view(2, 12)


@pytest.fixture
def adapter_folder(tmp_path: Path) -> Path:
    return save_tiny_adapter(save_tiny("llama", tmp_path / "base"), tmp_path / "adapter")


def edit_config(folder: Path, **entries: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks transformers
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_merging_gives_what_peft_computes(architecture: str, tmp_path: Path) -> None:
    base = save_tiny(architecture, tmp_path / "base")
    folder = save_tiny_adapter(base, tmp_path / "adapter")
    merged = tiny_model(architecture)
    merge_adapter(merged, read_adapter(folder), "the base")
    with torch.no_grad():
        alone = tiny_model(architecture)(TOKEN_IDS).logits
        expected = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), folder)(TOKEN_IDS).logits
        logits = merged(TOKEN_IDS).logits
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert (logits - alone).abs().max() > 0.1


def test_an_adapter_of_a_head_that_is_also_the_embedding_is_not_merged(tmp_path: Path) -> None:
    config = tiny_config("llama")
    config.tie_word_embeddings = True
    weights = {"lm_head.lora_A": torch.ones(2, 32), "lm_head.lora_B": torch.ones(VOCABULARY_SIZE, 2)}
    adapter = Adapter(path=tmp_path, base_name=None, base_sha256=None, weights=weights, scales={"lm_head": 1.0})
    with pytest.raises(AdapterError, match="'lm_head', whose weights are also the embedding of the tied one"):
        merge_adapter(AutoModelForCausalLM.from_config(config), adapter, "the tied one")
    untied = tiny_model("llama")
    before = untied.lm_head.weight.clone()
    merge_adapter(untied, adapter, "the other one")
    torch.testing.assert_close(untied.lm_head.weight, before + 2)


def test_names_and_shapes_are_those_of_the_modules(adapter_folder: Path) -> None:
    adapter = read_adapter(adapter_folder)
    assert len(adapter.scales) == 8
    assert adapter.scales["model.layers.1.self_attn.q_proj"] == 2.0
    assert adapter.weights["model.layers.1.self_attn.q_proj.lora_A"].shape == (4, 32)
    assert adapter.weights["model.layers.1.self_attn.k_proj.lora_B"].shape == (16, 4)
    assert adapter.base_name == str(adapter_folder.parent / "base")
    assert adapter.base_sha256 is None


def test_rank_stabilised_and_patterned_scales_are_honoured(adapter_folder: Path) -> None:
    edit_config(adapter_folder, use_rslora=True, alpha_pattern={r"1\.self_attn\.q_proj": 3})
    scales = read_adapter(adapter_folder).scales
    assert scales["model.layers.0.self_attn.q_proj"] == 8 / math.sqrt(4)
    assert scales["model.layers.1.self_attn.q_proj"] == 3 / math.sqrt(4)


def test_the_manifest_tells_the_base(adapter_folder: Path) -> None:
    edit_config(adapter_folder, base_model_name_or_path=None)
    (adapter_folder / "manifest.json").write_text(json.dumps({"base_model": {"name": "tiny", "sha256": "ab" * 32}}))
    adapter = read_adapter(adapter_folder)
    assert (adapter.base_name, adapter.base_sha256) == ("tiny", "ab" * 32)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"peft_type": "PREFIX_TUNING"}, "PREFIX_TUNING"),
        ({"use_dora": True}, "use_dora"),
        ({"init_lora_weights": "pissa_niter_16"}, "init_lora_weights = 'pissa_niter_16'"),
        ({"alora_invocation_tokens": [1, 2]}, "alora_invocation_tokens"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"lora_alpha": None}, "lora_alpha"),
    ],
)
def test_what_is_not_plain_lora_is_refused(adapter_folder: Path, entries: dict[str, Any], message: str) -> None:
    edit_config(adapter_folder, **entries)
    with pytest.raises(AdapterError, match=message):
        read_adapter(adapter_folder)


def test_a_corrupt_configuration_is_named(adapter_folder: Path) -> None:
    (adapter_folder / "adapter_config.json").write_text("{")
    with pytest.raises(AdapterError, match=r"adapter_config\.json is not valid JSON"):
        read_adapter(adapter_folder)


@pytest.mark.parametrize("length", [0, 100, 4000])
def test_weights_cut_short_are_named(adapter_folder: Path, length: int) -> None:
    file = adapter_folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(AdapterError, match=r"corrupt.*adapter_model\.safetensors"):
        read_adapter(adapter_folder)


def test_pickled_weights_are_refused(adapter_folder: Path) -> None:
    (adapter_folder / "adapter_model.safetensors").rename(adapter_folder / "adapter_model.bin")
    with pytest.raises(AdapterError, match=r"adapter_model.bin, a pickle"):
        read_adapter(adapter_folder)


def change_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    for end, value in changes.items():
        name = f"base_model.model.model.layers.0.self_attn.{end.replace('__', '.')}.weight"
        weights.pop(name, None)
        if value is not None:
            weights[name] = value
    save_file(weights, file)


def test_an_update_with_one_side_missing_is_corrupt(adapter_folder: Path) -> None:
    change_weights(adapter_folder, q_proj__lora_B=None)
    with pytest.raises(AdapterError, match=r"two matrices.*layers\.0\.self_attn\.q_proj"):
        read_adapter(adapter_folder)


def test_values_that_are_not_finite_are_named(adapter_folder: Path) -> None:
    change_weights(adapter_folder, q_proj__lora_B=torch.full((32, 4), float("nan")))
    with pytest.raises(AdapterError, match="not finite"):
        read_adapter(adapter_folder)


def test_a_tensor_of_another_kind_is_named(adapter_folder: Path) -> None:
    change_weights(adapter_folder, q_proj__lora_magnitude_vector=torch.ones(32))
    with pytest.raises(AdapterError, match="lora_magnitude_vector"):
        read_adapter(adapter_folder)


def test_a_folder_without_adapter_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="not an adapter folder"):
        read_adapter(tmp_path)


def test_an_adapter_of_a_wider_base_does_not_fit(adapter_folder: Path) -> None:
    with pytest.raises(AdapterError, match=r"16 x 32.*the narrow one has 8 x 16.*made for .*base"):
        check_fits(read_adapter(adapter_folder), tiny_model("llama", hidden=16), "the narrow one")


def test_an_adapter_of_a_deeper_base_does_not_fit(adapter_folder: Path) -> None:
    with pytest.raises(AdapterError, match=r"layers\.1\.self_attn.*which the shallow one does not have"):
        check_fits(read_adapter(adapter_folder), tiny_model("llama", layers=1), "the shallow one")


def test_a_fitting_adapter_passes_without_the_bases_weights(adapter_folder: Path) -> None:
    from cosec.models.loading.reading import read_outline

    outline = read_outline("base", adapter_folder.parent / "base")
    assert all(weight.device.type == "meta" for weight in outline.parameters())
    check_fits(read_adapter(adapter_folder), outline, "base")
