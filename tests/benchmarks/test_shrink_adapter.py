"""A shrunk adapter changes its base as the original does, or less, and never more."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cosec.models.adapters import read_adapter
from tests.benchmarks.conftest import Script
from tests.tiny import save_tiny, save_tiny_adapter


def finished(folder: Path, *, seed: int = 1) -> Path:
    """An adapter of rank 4 with the records of a training run."""
    adapter = save_tiny_adapter(save_tiny("llama", folder / "base"), folder / f"adapter-{seed}", seed=seed)
    base = {"name": "base", "sha256": "ab" * 32}
    (adapter / "manifest.json").write_text(json.dumps({"format": 1, "base_model": base}))
    for name in ("curves.jsonl", "curves.png"):
        (adapter / name).touch()
    return adapter


def updates(folder: Path) -> dict[str, Tensor]:
    """What an adapter adds to each weight."""
    adapter = read_adapter(folder)
    return {
        name: scale * adapter.weights[f"{name}.lora_B"].float() @ adapter.weights[f"{name}.lora_A"].float()
        for name, scale in adapter.scales.items()
    }


@pytest.mark.parametrize("rank", [4, 8, 24])
def test_a_rank_that_the_updates_do_not_have_leaves_their_strength(script: Script, tmp_path: Path, rank: int) -> None:
    adapter = finished(tmp_path)
    script("shrink_adapter", adapter, tmp_path / "out", "--rank", rank)
    torch.testing.assert_close(updates(tmp_path / "out"), updates(adapter), atol=0.02, rtol=0.01)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["r"] == rank
    assert {len(one) for name, one in read_adapter(tmp_path / "out").weights.items() if name.endswith("A")} == {rank}


def test_a_lower_rank_gives_the_best_approximation(script: Script, tmp_path: Path) -> None:
    adapter = finished(tmp_path)
    script("shrink_adapter", adapter, tmp_path / "out", "--rank", 2)
    kept, whole = updates(tmp_path / "out"), updates(adapter)
    for name, update in whole.items():
        lost = torch.linalg.svdvals(update)[2:].norm()
        torch.testing.assert_close((update - kept[name]).norm(), lost, atol=0.02, rtol=0.01)


def test_factors_other_than_alpha_by_rank_are_refused(script: Script, tmp_path: Path) -> None:
    adapter = finished(tmp_path)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "use_rslora": True}))
    with pytest.raises(SystemExit, match="uses use_rslora"):
        script("shrink_adapter", adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()
