from __future__ import annotations

import pytest
import torch
from torch import nn

from cosec.models.packed_linear import PackedLinear, pack_linears, packing_works
from cosec.models.shared_weights import LoraRows, attach_adapter

pytestmark = pytest.mark.skipif(not packing_works(), reason="this torch build packs no weights")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("outputs", [1, 40, 64, 130, 576])
def test_a_packed_map_is_the_map(outputs: int, bias: bool) -> None:
    torch.manual_seed(outputs)
    base = nn.Linear(48, outputs, bias=bias)
    packed = PackedLinear(base)
    with torch.inference_mode():
        for shape in ((48,), (1, 1, 48), (2, 3, 48), (50, 1, 48)):
            hidden = torch.randn(shape)
            found = packed(hidden)
            assert found.shape == (*shape[:-1], outputs)
            torch.testing.assert_close(found, base(hidden), atol=1e-5, rtol=1e-5)


def test_an_adapter_adds_to_the_rows_of_a_packed_map() -> None:
    model = nn.Sequential(nn.Linear(48, 192))
    plain = nn.Linear(48, 192)
    plain.load_state_dict(model[0].state_dict())
    low, high = torch.randn(4, 48), torch.randn(192, 4)
    switch = attach_adapter(model, {"0.lora_A": low, "0.lora_B": high}, {"0": 2.0})
    assert pack_linears(model) == 1
    assert isinstance(model[0], LoraRows)
    hidden = torch.randn(5, 3, 48)
    with torch.inference_mode():
        switch.rows = 2
        found, unchanged = model(hidden), plain(hidden)
        torch.testing.assert_close(found[2:], unchanged[2:], atol=1e-5, rtol=1e-5)
        changed = unchanged[:2] + 2.0 * hidden[:2] @ low.T @ high.T
        torch.testing.assert_close(found[:2], changed, atol=1e-4, rtol=1e-4)
