"""Tiny models with weights of their own, and what they are fed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cosec.decoding.pairing import PreparedPair
from cosec.runtime import TorchTokenModel
from tests.decoding.pairs import separate_pair


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> PreparedPair:
    return separate_pair(tmp_path_factory.mktemp("separate"))


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of tokens of each forward pass."""
    seen: list[int] = []
    forward = TorchTokenModel._forward

    def noted(self: TorchTokenModel, module: Any, tokens: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        seen.append(tokens.shape[1])
        return forward(self, module, tokens, *args, **kwargs)

    monkeypatch.setattr(TorchTokenModel, "_forward", noted)
    return seen
