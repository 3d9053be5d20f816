"""Prefix tuning: trained, written, loaded, and run by the engine, beside peft's own forward pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from cosec.errors import SettingsError, TrainingError
from cosec.training import hardening
from cosec.training.data.examples import tokenize_pairs
from cosec.training.data.security_pairs import load_pairs
from cosec.training.hardening import harden
from cosec.training.loop import run_folder
from cosec.training.objective import HardeningObjective
from cosec.training.prefix import attach_prefix
from cosec.training.settings import HardeningSettings, choose_settings
from tests.tiny import ARCHITECTURES, tiny_model, tiny_tokenizer
from tests.training.conftest import curve_points, record
from tests.training.test_hardening import Dying, Killed
from tests.training.tiny_run import FAST, run, tiny_base

PREFIX: dict[str, Any] = {"method": "prefix", "prefix_tokens": 5, "learning_rate": 5e-2}

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # peft asks transformers 5


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run_folder, hardening):
        monkeypatch.setattr(module, "plots_available", lambda: False)


@pytest.fixture
def data(tmp_path: Path, write_pairs: Any) -> Path:
    write_pairs("set/train/a.jsonl", [record(number) for number in range(7)])
    write_pairs("set/val/a.jsonl", [record(number) for number in (7, 8)])
    return tmp_path / "set"


def prefixed(architecture: str, tokens: int = 5) -> Any:
    model = attach_prefix(tiny_model(architecture).requires_grad_(False), tiny_tokenizer(architecture), tokens)
    torch.manual_seed(3)
    with torch.no_grad():
        model.prompt_encoder["default"].embedding.weight.add_(0.3 * torch.randn(1))
    return model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_fresh_prefix_does_what_its_start_text_does(architecture: str) -> None:
    from cosec.training.prefix import START_TEXT

    tokenizer = tiny_tokenizer(architecture)
    text = tokenizer(START_TEXT)["input_ids"]
    model = attach_prefix(tiny_model(architecture), tokenizer, len(text))
    ids = torch.tensor([[5, 6, 7, 8]])
    expected = tiny_model(architecture)(torch.cat([torch.tensor([text]), ids], dim=1)).logits[:, len(text) :]
    torch.testing.assert_close(model(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
    assert [name for name, value in model.named_parameters() if value.requires_grad] == [
        "prompt_encoder.default.embedding.weight"
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("fused", [True, False])
def test_the_losses_see_the_prefix_and_their_reference_does_not(data: Path, architecture: str, fused: bool) -> None:
    model = prefixed(architecture)
    settings = HardeningSettings(**{**FAST, **PREFIX}, unlikelihood=0.5, preference=0.5)
    objective = HardeningObjective(model, settings)
    assert objective.fused
    objective._fused = fused
    pairs = load_pairs([data], validation_share=0, seed=0).training
    examples = tokenize_pairs(pairs, tiny_tokenizer(architecture), max_tokens=64, with_compared=True)[:2]
    for example in examples:
        loss = objective.loss(example, training=True, cache_key="")
        with torch.no_grad():
            student = model(input_ids=example.token_ids[None]).logits[0, :-1].log_softmax(-1)
            base = tiny_model(architecture)(example.token_ids[None]).logits[0, :-1].log_softmax(-1)
        changed = example.changed[1:]
        nll = -student.gather(-1, example.token_ids[1:, None]).squeeze(-1)[changed].mean()
        assert loss.parts["security"].item() == pytest.approx(nll.item(), rel=1e-4)
        divergence = (student.exp() * (student - base)).sum(-1)[~changed].mean()
        assert loss.parts["functional"].item() == pytest.approx(divergence.item(), rel=1e-3)
        assert loss.parts["functional"] > 1e-3
    loss.total.backward()
    gradient = model.prompt_encoder["default"].embedding.weight.grad
    assert gradient is not None
    assert (gradient.abs().sum(1) > 0).all()


def test_training_a_prefix_lowers_the_validation_loss_changes_no_weight_and_resumes(data: Path, tmp_path: Path) -> None:
    base = tiny_base()
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    settings = HardeningSettings(**{**FAST, **PREFIX})
    harden(base, [data], settings, tmp_path / "whole")
    assert all(torch.equal(value, before[name]) for name, value in base.model.state_dict().items())
    points = [point for point in curve_points(tmp_path / "whole") if point["kind"] == "validation"]
    assert points[-1]["loss"] < points[0]["loss"] - 0.1
    with pytest.raises(Killed):
        run(data, tmp_path / "killed", progress=Dying(3), checkpoint_minutes=1e-9, **PREFIX)
    run(data, tmp_path / "killed", resume=True, **PREFIX)
    (one,), (other,) = (
        load_file(tmp_path / name / "adapter_model.safetensors").values() for name in ("whole", "killed")
    )
    assert torch.equal(one, other)
    with pytest.raises(TrainingError, match="prefix_tokens"):
        run(data, tmp_path / "killed", resume=True, **{**PREFIX, "prefix_tokens": 6})


def test_what_is_written_is_read_by_peft_and_says_how_it_was_made(data: Path, tmp_path: Path) -> None:
    result = run(data, tmp_path / "out", **PREFIX)
    loaded = PeftModel.from_pretrained(tiny_model(), tmp_path / "out")
    objective = HardeningObjective(loaded, HardeningSettings(**{**FAST, **PREFIX}))
    pairs = load_pairs([data], validation_share=0, seed=0).validation
    losses = [
        objective.loss(each, training=False, cache_key="").total.item()
        for each in tokenize_pairs(pairs, tiny_tokenizer(), max_tokens=64)
    ]
    assert sum(losses) / len(losses) == pytest.approx(result.state.best_loss, rel=1e-5)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["method"] == manifest["settings"]["method"] == "prefix"
    assert manifest["settings"]["prefix_tokens"] == 5
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["peft_type"], config["num_virtual_tokens"]) == ("PREFIX_TUNING", 5)


def test_a_method_refuses_the_settings_of_another() -> None:
    assert choose_settings(None, HardeningSettings(method="prefix")).learning_rate == 1e-2
    with pytest.raises(SettingsError, match="method prefix has no lora_rank"):
        choose_settings(None, HardeningSettings(method="prefix", lora_rank=4))
    with pytest.raises(SettingsError, match="method cosec-plus has no prefix_tokens"):
        choose_settings(None, HardeningSettings(prefix_tokens=4))
