from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cosec.errors import AdapterError
from cosec.runtime.torch.lora_rows import LoraRows, attach_adapter
from cosec.runtime.torch.token_model import TorchTokenModel
from tests.models.lora import adapter_weights, attached, peft_model
from tests.tiny import ARCHITECTURES, VOCABULARY_SIZE, tiny_model

TOKENS = torch.randint(VOCABULARY_SIZE, (4, 7), generator=torch.Generator().manual_seed(0))


def logits(model: nn.Module, tokens: Tensor = TOKENS) -> Tensor:
    with torch.inference_mode():
        return model(input_ids=tokens, use_cache=False).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_adapter_on_and_off_equals_peft(architecture: str) -> None:
    model, switch, _ = attached(architecture)
    oracle = peft_model(architecture)
    with oracle.disable_adapter():
        off = logits(oracle)
    on = logits(oracle)
    assert float((on - off).abs().max()) > 0.1
    torch.testing.assert_close(logits(model), off, rtol=1e-5, atol=1e-5)
    switch.rows = 4
    torch.testing.assert_close(logits(model), on, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_exactly_the_leading_rows_go_through_the_adapter(architecture: str, rows: int) -> None:
    model, switch, merged = attached(architecture)
    switch.rows = rows
    mixed = logits(model)
    torch.testing.assert_close(mixed[:rows], logits(merged)[:rows], rtol=1e-4, atol=1e-4)
    assert torch.equal(mixed[rows:], logits(tiny_model(architecture))[rows:]), "base rows must be bit-identical"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_attaching_alone_changes_no_bit(architecture: str) -> None:
    model, _, _ = attached(architecture)
    assert torch.equal(logits(model), logits(tiny_model(architecture)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_leading_half_of_a_cached_batch_is_the_security_model(architecture: str) -> None:
    model, switch, merged = attached(architecture)
    prompts = [[1, 2, 3, 4], [5], [6, 7]]
    paired = TorchTokenModel(model, VOCABULARY_SIZE, switch, "leading half").prefill([*prompts, *prompts])
    fed = torch.tensor([[8, 9]] * 6)
    both = paired.advance(fed)
    for half, oracle in enumerate((merged, tiny_model(architecture))):
        for row, prompt in enumerate(prompts):
            alone = logits(oracle, torch.tensor([[*prompt, 8, 9]]))[0, -2:]
            torch.testing.assert_close(both[half * 3 + row], alone, rtol=1e-4, atol=1e-4)
    assert switch.rows == 0, "outside a forward the model is the target"
    paired.select([2, 5])
    paired.rollback([1, 0])
    both = paired.advance(torch.tensor([[10], [11]]))
    torch.testing.assert_close(both[0, 0], logits(merged, torch.tensor([[6, 7, 8, 10]]))[0, -1], rtol=1e-4, atol=1e-4)
    target = logits(tiny_model(architecture), torch.tensor([[6, 7, 8, 9, 11]]))[0, -1]
    torch.testing.assert_close(both[1, 0], target, rtol=1e-4, atol=1e-4)


def test_the_switch_is_off_again_after_a_forward_that_failed() -> None:
    model, switch, _ = attached("llama")
    batch = TorchTokenModel(model, VOCABULARY_SIZE, switch, "on").prefill([[1]])
    with pytest.raises(IndexError):
        batch.advance(torch.tensor([[VOCABULARY_SIZE + 1]]))
    assert switch.rows == 0


def test_an_adapter_needs_a_switch() -> None:
    with pytest.raises(ValueError, match="needs an attached adapter"):
        TorchTokenModel(tiny_model(), VOCABULARY_SIZE, None, "on")


def test_the_weights_are_held_once() -> None:
    model = tiny_model("llama")
    before = {parameter.data_ptr() for parameter in model.parameters()}
    attach_adapter(model, *adapter_weights(peft_model("llama")))
    assert {parameter.data_ptr() for parameter in model.parameters()} == before


def test_the_update_takes_the_weights_own_precision() -> None:
    base = nn.Linear(6, 5, dtype=torch.bfloat16)
    model = nn.ModuleDict({"map": base})
    weights = {"map.lora_A": torch.randn(2, 6), "map.lora_B": torch.randn(5, 2)}
    switch = attach_adapter(model, weights, {"map": 0.5})
    wrapped = model["map"]
    assert isinstance(wrapped, LoraRows)
    switch.rows = 1
    hidden = torch.randn(2, 3, 6, dtype=torch.bfloat16)
    with torch.inference_mode():
        output = wrapped(hidden)
    assert output.dtype == torch.bfloat16
    update = 0.5 * (weights["map.lora_B"] @ weights["map.lora_A"])
    expected = nn.functional.linear(hidden[:1].float(), base.weight.float() + update, base.bias.float())
    torch.testing.assert_close(output[:1].float(), expected, rtol=0.05, atol=0.05)
    assert torch.equal(output[1:], base(hidden)[1:])


def test_a_second_adapter_on_the_same_weights_is_refused() -> None:
    model, _, _ = attached("llama")
    with pytest.raises(AdapterError, match="carry another adapter already"):
        attach_adapter(model, *adapter_weights(peft_model("llama")))


def test_attaching_the_same_adapter_again_gives_its_switch() -> None:
    model, adapter = tiny_model("llama"), adapter_weights(peft_model("llama"))
    assert attach_adapter(model, *adapter) is attach_adapter(model, *adapter)


def test_an_adapter_that_cannot_be_attached_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    weights = {f"{name}.lora_{side}": torch.ones(4, 4) for name in "01" for side in "AB"}
    with pytest.raises(AdapterError, match="'1'"):
        attach_adapter(model, weights, {"0": 1.0, "1": 1.0})
    assert type(model[0]) is nn.Linear
