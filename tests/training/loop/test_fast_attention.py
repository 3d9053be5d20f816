from types import SimpleNamespace

import pytest
import torch

from cosec.training.loop.fast_attention import SHORT_ROWS, plain_attention_pays, speed_up_attention
from tests.tiny import ARCHITECTURES, tiny_model

CPU = torch.device("cpu")


def attention(model: torch.nn.Module) -> str:
    return str(model.config._attn_implementation)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_predicts_the_same_with_plain_attention(architecture: str) -> None:
    model = tiny_model(architecture)
    usual = attention(model)
    token_ids = torch.arange(12).unsqueeze(0)
    hidden = torch.zeros(1, 1, 12, 12).masked_fill_(torch.ones(12, 12).triu(1).bool(), torch.finfo(torch.float32).min)
    hidden[..., 6:, :6] = torch.finfo(torch.float32).min
    positions = torch.arange(12).remainder(6).unsqueeze(0)
    with torch.no_grad():
        alone = model(token_ids).logits
        packed = model(token_ids, attention_mask=hidden, position_ids=positions).logits
        speed_up_attention(model, CPU, tokens=12, bfloat16=True)
        torch.testing.assert_close(model(token_ids).logits, alone, rtol=1e-4, atol=1e-5)
        again = model(token_ids, attention_mask=hidden, position_ids=positions).logits
    torch.testing.assert_close(again, packed, rtol=1e-4, atol=1e-5)
    assert attention(model) == "eager"
    assert usual in ("sdpa", "eager")


def test_the_model_inside_an_adapter_is_changed() -> None:
    model = tiny_model("llama")
    speed_up_attention(SimpleNamespace(get_base_model=lambda: model), CPU, tokens=SHORT_ROWS, bfloat16=True)
    assert attention(model) == "eager"


@pytest.mark.parametrize(
    ("device", "tokens", "bfloat16"),
    [(CPU, SHORT_ROWS + 1, True), (CPU, SHORT_ROWS, False), (torch.device("cuda"), SHORT_ROWS, True)],
)
def test_long_rows_float32_and_gpus_keep_the_fused_attention(device: torch.device, tokens: int, bfloat16: bool) -> None:
    model = tiny_model("llama")
    usual = attention(model)
    speed_up_attention(model, device, tokens=tokens, bfloat16=bfloat16)
    assert attention(model) == usual == "sdpa"
    assert not plain_attention_pays(device, tokens=tokens, bfloat16=bfloat16)
