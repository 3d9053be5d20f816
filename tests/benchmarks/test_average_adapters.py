"""The sum of adapters adds to each weight what they add together."""

import json
from pathlib import Path

import pytest
import torch

from tests.benchmarks.conftest import Script
from tests.benchmarks.test_shrink_adapter import finished, updates
from tests.tiny import save_tiny_adapter


def change(adapter: Path, file: str, **entries: object) -> None:
    """Change entries of one of an adapter's JSON files."""
    content = json.loads((adapter / file).read_text())
    (adapter / file).write_text(json.dumps({**content, **entries}))


@pytest.mark.parametrize("rank", [8, 24])
def test_adapters_of_other_kinds_and_modules_add_up(script: Script, tmp_path: Path, rank: int) -> None:
    first, second = finished(tmp_path), tmp_path / "second"
    save_tiny_adapter(tmp_path / "base", second, seed=2, targets=("q_proj", "down_proj"))
    (second / "manifest.json").write_text((first / "manifest.json").read_text())
    change(first, "adapter_config.json", use_rslora=True, alpha_pattern={"q_proj": 3})
    script("average_adapters", tmp_path / "sum", f"{first}=0.5", f"{second}=2", "--rank", rank)
    config = json.loads((tmp_path / "sum" / "adapter_config.json").read_text())
    assert (config["r"], config["use_rslora"], config["alpha_pattern"], config["rank_pattern"]) == (rank, False, {}, {})
    assert config["target_modules"] == ["down_proj", "k_proj", "o_proj", "q_proj", "v_proj"]
    one, other, total = (updates(folder) for folder in (first, second, tmp_path / "sum"))
    assert total.keys() == one.keys() | other.keys()
    for name, update in total.items():
        torch.testing.assert_close(update, 0.5 * one.get(name, 0) + 2 * other.get(name, 0), atol=1e-4, rtol=1e-4)


def test_adapters_of_different_bases_are_refused_unless_one_was_trained_on_the_other(
    script: Script, tmp_path: Path
) -> None:
    first, second = finished(tmp_path), finished(tmp_path, seed=2)
    change(second, "manifest.json", base_model={"name": "aligned", "sha256": "cd" * 32})
    with pytest.raises(SystemExit, match=r"different bases .*cdcd"):
        script("average_adapters", tmp_path / "sum", f"{first}=1", f"{second}=1")
    assert not (tmp_path / "sum").exists()
    script("average_adapters", tmp_path / "sum", f"{first}=1", f"{second}=1", "--chained")
    manifest = json.loads((tmp_path / "sum" / "manifest.json").read_text())
    assert manifest["base_model"] == {"name": str(tmp_path / "base"), "sha256": "ab" * 32}
