import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from cosec.training.loop import fast_linear
from cosec.training.loop.fast_linear import FastLinear, product, products_work, speed_up
from tests.tiny import ARCHITECTURES, tiny_model

pytestmark = pytest.mark.skipif(not products_work(), reason="this torch build has no oneDNN product")


def values_and_gradients(module: nn.Linear, hidden: torch.Tensor) -> list[torch.Tensor]:
    rows = hidden.clone().requires_grad_(True)
    module.zero_grad()
    result = module(rows)
    (result * torch.linspace(-1, 2, result.numel()).view_as(result)).sum().backward()
    gradients = [each.grad for each in (rows, *module.parameters()) if each.grad is not None]
    return [result.detach(), *(gradient.clone() for gradient in gradients)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 24), (5, 24), (2, 7, 24)])
def test_value_and_gradients_are_those_of_a_plain_linear_map(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(24, 40, bias=bias)
    fast = nn.Linear(24, 40, bias=bias)
    fast.load_state_dict(plain.state_dict())
    speed_up(nn.Sequential(fast))
    assert type(fast) is FastLinear
    hidden = torch.randn(shape)
    for one, other in zip(values_and_gradients(plain, hidden), values_and_gradients(fast, hidden), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_frozen_weights_get_no_gradient() -> None:
    module = nn.Linear(8, 8)
    speed_up(nn.Sequential(module.requires_grad_(False)))
    found = values_and_gradients(module, torch.randn(3, 8))
    assert len(found) == 2
    assert module.weight.grad is None


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_keeps_its_parameters_and_its_prediction(architecture: str) -> None:
    model = tiny_model(architecture)
    token_ids = torch.arange(12).unsqueeze(0)
    names = [(name, value.data_ptr()) for name, value in model.named_parameters()]
    with torch.no_grad():
        before = model(token_ids).logits
        speed_up(model)
        torch.testing.assert_close(model(token_ids).logits, before, rtol=1e-4, atol=1e-5)
    assert [(name, value.data_ptr()) for name, value in model.named_parameters()] == names
    assert any(type(module) is FastLinear for module in model.modules())


def test_the_plain_product_takes_transposed_weights() -> None:
    rows, weight = torch.randn(6, 10), torch.randn(10, 4)
    torch.testing.assert_close(product(rows, weight.t()), rows @ weight, rtol=1e-5, atol=1e-5)


def test_other_types_and_autocast_go_the_usual_way() -> None:
    module = nn.Linear(8, 4)
    speed_up(nn.Sequential(module))
    rows = torch.randn(3, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert module(rows).dtype == torch.bfloat16
    assert torch.equal(product(rows.double(), module.weight.double()), linear(rows.double(), module.weight.double()))
    assert module(torch.empty(0, 8)).shape == (0, 4)


def test_where_the_operator_is_missing_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_linear, "products_work", lambda: False)
    module = nn.Linear(8, 4)
    speed_up(nn.Sequential(module))
    assert type(module) is nn.Linear
    rows = torch.randn(3, 8)
    assert torch.equal(product(rows, module.weight), linear(rows, module.weight))


def test_the_plain_product_stays_in_float32_under_autocast_where_onednn_is_missing(monkeypatch) -> None:
    monkeypatch.setattr(fast_linear, "products_work", lambda: False)
    rows, weight, bias = torch.randn(6, 10), torch.randn(4, 10), torch.randn(4)
    with torch.autocast("cpu", torch.bfloat16):
        found = product(rows, weight, bias)
        halves = product(rows.bfloat16(), weight.bfloat16(), bias)
    torch.testing.assert_close(found, rows @ weight.t() + bias, rtol=1e-5, atol=1e-5)
    assert (found.dtype, halves.dtype) == (torch.float32, torch.bfloat16)
