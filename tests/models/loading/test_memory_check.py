from __future__ import annotations

from pathlib import Path

import pytest

from cosec.errors import ModelError
from cosec.models.loading import host_memory, memory_check
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.models.loading.host_memory import free_memory
from cosec.models.loading.load import load_pair
from cosec.models.loading.memory_check import require_memory
from tests.tiny import save_tiny


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny("qwen2", tmp_path / "model")


def with_free(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    monkeypatch.setattr(memory_check, "free_memory", lambda: free)


def test_a_model_that_fits_is_let_through_and_so_is_one_on_another_device(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, device_map in ((600_000_000, None), (None, None), (0, "cuda")):
        with_free(monkeypatch, free)
        require_memory({"tiny": model}, dtype="auto", device_map=device_map)


def test_a_pair_that_does_not_fit_is_refused_before_weights_are_loaded(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 400_000_000)
    monkeypatch.setattr("cosec.models.loading.load._load", lambda *given: pytest.fail("weights were loaded"))
    with pytest.raises(ModelError, match=r"need 0.5 GB of memory, and 0.4 GB are free; close other programs\."):
        load_pair(str(model), "none")


def test_the_message_names_the_halved_format_and_the_largest_model_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = BUNDLED_MODELS["qwen2.5-coder-1.5b"].parameters + BUNDLED_MODELS["qwen2.5-coder-0.5b"].parameters
    monkeypatch.setattr(memory_check, "_parameters", lambda folder: large)

    def refusal(free: int, dtype: str = "auto") -> str:
        with_free(monkeypatch, free)
        with pytest.raises(ModelError) as error:
            require_memory({"qwen2.5-coder-1.5b": tmp_path}, dtype=dtype, device_map=None)
        return str(error.value)

    assert "need 10.1 GB of memory, and 6.0 GB are free" in refusal(6_000_000_000)
    assert "--dtype bfloat16 (5.3 GB)" in refusal(6_000_000_000)
    assert "make demo MODEL=qwen2.5-coder-0.5b" in refusal(6_000_000_000)
    assert "--dtype" not in refusal(2_000_000_000)
    assert "--target smollm2-135m" in refusal(2_000_000_000)
    assert "need 5.3 GB" in refusal(2_000_000_000, "bfloat16")


def test_free_memory_counts_swap_and_a_containers_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = free_memory()
    assert machine is None or machine > 1_000_000
    monkeypatch.setattr(host_memory, "_CONTROL_GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.stat").write_text("anon 300\nfile 500\n")
    assert machine is None or free_memory() == 700
    (tmp_path / "memory.max").write_text("max\n")
    assert machine is None or free_memory() != 700
