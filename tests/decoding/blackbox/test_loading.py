"""The security model of a target that gives text."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cosec.decoding.blackbox import loading
from cosec.models.loading.load import LoadedModel
from tests.tiny import save_tiny, save_tiny_adapter


@pytest.mark.parametrize(
    ("fast", "asked", "reproducible", "found"),
    [
        (True, "auto", False, torch.bfloat16),
        (True, "auto", True, torch.float32),
        (False, "auto", False, torch.float32),
        (True, "float32", False, torch.float32),
        (False, "bfloat16", True, torch.bfloat16),
    ],
)
def test_checks_are_in_bfloat16_where_the_processor_multiplies_it_and_nothing_else_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool, asked: str, reproducible: bool, found: torch.dtype
) -> None:
    monkeypatch.setattr(loading, "multiplies_bfloat16", lambda: fast)
    adapter = save_tiny_adapter(save_tiny("qwen2", tmp_path / "base"), tmp_path / "adapter")
    reader = loading.load_reader(str(adapter), dtype=asked, reproducible=reproducible)
    target = reader.pair.pair.target
    assert isinstance(target, LoadedModel)
    assert target.model.dtype == found
