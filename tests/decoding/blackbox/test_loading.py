"""The security model of a target that gives text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cosec.decoding.blackbox import loading
from tests.tiny import save_tiny, save_tiny_adapter


@pytest.mark.parametrize(
    ("fast", "asked", "found"),
    [
        (True, "auto", torch.bfloat16),
        (False, "auto", torch.float32),
        (True, "float32", torch.float32),
        (False, "bfloat16", torch.bfloat16),
    ],
)
def test_checks_are_in_bfloat16_where_the_processor_multiplies_it_and_nothing_else_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, asked: str, found: torch.dtype
) -> None:
    monkeypatch.setattr(loading, "multiplies_bfloat16", lambda: fast)
    adapter = save_tiny_adapter(save_tiny("qwen2", tmp_path / "base"), tmp_path / "adapter")
    assert loading.load_reader(str(adapter), dtype=asked).pair.pair.target.model.dtype == found
