from __future__ import annotations

import pytest
import torch
from torch import nn

from cosec.runtime.torch.cpu.packed_linear import (
    PackedLinear,
    _padded_width,
    multiplies_bfloat16,
    pack_linears,
    packing_works,
)
from cosec.runtime.torch.lora_rows import LoraRows, attach_adapter

pytestmark = pytest.mark.skipif(not packing_works(), reason="this torch build packs no weights")


def test_trying_whether_packing_works_uses_up_no_random_numbers() -> None:
    packing_works.cache_clear()
    before = torch.get_rng_state()
    assert packing_works()
    assert torch.equal(torch.get_rng_state(), before)


def test_packing_again_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(48, 192))
    assert pack_linears(model) == 1
    packed = model[0]
    assert pack_linears(model) == 0
    assert model[0] is packed


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


@pytest.mark.skipif(not packing_works(torch.bfloat16), reason="this torch build packs no weights in bfloat16")
@pytest.mark.parametrize("outputs", [40, 130, 576])
def test_maps_in_bfloat16_are_packed_too(outputs: int) -> None:
    torch.manual_seed(outputs)
    model = nn.Sequential(nn.Linear(48, outputs, dtype=torch.bfloat16))
    base = model[0]
    assert pack_linears(model) == 1
    with torch.inference_mode():
        for shape in ((1, 1, 48), (2, 30, 48)):
            hidden = torch.randn(shape, dtype=torch.bfloat16)
            torch.testing.assert_close(model(hidden), base(hidden), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"avx512_bf16": True}, True), ({"bf16": True}, True), ({"avx2": True, "avx512_bf16": False}, False), ({}, False)],
)
def test_products_in_bfloat16_are_worth_it_where_the_processor_has_instructions_for_them(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr("cosec.runtime.torch.cpu.packed_linear.packing_works", lambda _: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert multiplies_bfloat16() == expected


def test_a_torch_that_cannot_tell_what_the_processor_has_is_taken_for_one_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not multiplies_bfloat16()


def test_maps_of_other_types_stay() -> None:
    model = nn.Sequential(nn.Linear(48, 64, dtype=torch.float16), nn.Linear(64, 8, dtype=torch.float64))
    assert pack_linears(model) == 0


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("outputs", "more"), [(1, 1), (56, 8), (60, 8), (64, 64), (576, 8), (640, 4)])
def test_a_map_beside_it_shares_the_product(outputs: int, more: int, bias: bool) -> None:
    torch.manual_seed(outputs)
    base, beside = nn.Linear(48, outputs, bias=bias), torch.randn(more, 48)
    packed = PackedLinear(base, beside)
    assert packed.out_features == outputs + more
    hidden = torch.randn(50, 1, 48)
    with torch.inference_mode():
        found = packed(hidden)
        assert found.shape == (50, 1, outputs + more)
        torch.testing.assert_close(found[..., :outputs], base(hidden), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found[..., outputs:], hidden @ beside.T, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("outputs", range(1, 400, 9))
def test_a_packed_map_has_a_whole_number_of_pairs_of_blocks_and_little_more_than_its_outputs(outputs: int) -> None:
    width = _padded_width(outputs)
    assert -(-width // 64) % 2 == 0
    assert outputs <= width < outputs + 64 + 16


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rank", [1, 4, 64])
@pytest.mark.parametrize("rows", [0, 2, 5])
def test_an_adapter_adds_to_the_rows_of_a_packed_map(rows: int, rank: int, bias: bool) -> None:
    model = nn.Sequential(nn.Linear(48, 192, bias=bias))
    plain = nn.Linear(48, 192, bias=bias)
    plain.load_state_dict(model[0].state_dict())
    low, high = torch.randn(rank, 48), torch.randn(192, rank)
    switch = attach_adapter(model, {"0.lora_A": low, "0.lora_B": high}, {"0": 2.0})
    assert pack_linears(model) == 1
    assert isinstance(model[0], LoraRows)
    hidden = torch.randn(5, 3, 48)
    with torch.inference_mode():
        unchanged = model(hidden)
        torch.testing.assert_close(unchanged, plain(hidden), atol=1e-5, rtol=1e-5)
        switch.rows = rows
        found = model(hidden)
        assert torch.equal(found[rows:], unchanged[rows:]), "base rows must be bit-identical"
        changed = plain(hidden[:rows]) + 2.0 * hidden[:rows] @ low.T @ high.T
        torch.testing.assert_close(found[:rows], changed, atol=1e-4, rtol=1e-4)
