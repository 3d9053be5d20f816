"""What the configuration of a model folder tells, and where its weights can go."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import CodeGenConfig

from cosec.errors import SettingsError, UnknownArchitecture
from cosec.models.loading.reading import context_length, read_weights
from tests.tiny import save_tiny


def test_the_context_is_the_number_of_positions() -> None:
    assert context_length("m", CodeGenConfig(n_positions=32, n_ctx=64).to_dict()) == 32
    assert context_length("m", {"max_position_embeddings": 16}) == 16


def test_an_entry_that_bounds_no_positions_is_no_context() -> None:
    with pytest.raises(UnknownArchitecture, match="gives no context length"):
        context_length("m", {"model_type": "codegen", "n_ctx": 64})


@pytest.mark.parametrize("device", ["xpu", "cuda:99"])
def test_a_device_that_this_torch_cannot_use_is_refused_with_the_remedy(tmp_path: Path, device: str) -> None:
    folder = save_tiny("llama", tmp_path / "model")
    with pytest.raises(SettingsError, match=f"--device-map {device}: torch .* cannot use this device .* Leave it out"):
        read_weights("tiny", folder, dtype="auto", device_map=device)
