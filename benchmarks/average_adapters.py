"""Add up adapters of one base into one of a given rank.

    python benchmarks/average_adapters.py OUT ADAPTER=WEIGHT ADAPTER=WEIGHT ... --rank 8

The updates B A of the adapters are added with their weights, and the sum is replaced by its best approximation of the
rank (singular value decomposition). A single adapter is scaled by its weight. The manifest records the hashes, the
weights and the share of the squared norm that is kept.

Adapters of different bases are refused. With ``--chained``, each was trained on the base with those before it merged.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from shrink_adapter import WEIGHTS, shrink

from cosec.models.adapters import Adapter, read_adapter
from cosec.models.identity import file_sha256


def main() -> None:
    """Read the adapters and write their weighted sum."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("adapters", nargs="+", help="ADAPTER=WEIGHT")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--chained", action="store_true")
    options = parser.parse_args()
    parts = [
        (read_adapter(Path(folder)), float(weight))
        for folder, _, weight in (a.rpartition("=") for a in options.adapters)
    ]
    first = parts[0][0]
    if len({part.base_sha256 or part.base_name for part, _ in parts}) > 1 and not options.chained:
        bases = ", ".join(f"{part.path}: {part.base_name} {part.base_sha256 or ''}".rstrip() for part, _ in parts)
        raise SystemExit(f"The adapters have different bases ({bases})")
    tensors, kept = add_up(parts, options.rank)
    manifest = {
        "format": 1,
        "base_model": {"name": first.base_name, "sha256": first.base_sha256},
        "sum_of": [{"adapter_sha256": file_sha256(part.path / WEIGHTS), "weight": weight} for part, weight in parts],
        "share_of_squared_norm_kept": kept,
    }
    options.out.mkdir(parents=True)
    save_file(tensors, options.out / WEIGHTS)
    modules = {module.rpartition(".")[2] for part, _ in parts for module in part.scales}
    config = plain_config(first.base_name, options.rank, modules)
    (options.out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{options.out}: rank {options.rank} keeps {kept:.1%} of the squared norm")  # noqa: T201


def plain_config(base_name: str | None, rank: int, modules: set[str]) -> dict[str, object]:
    """The configuration in peft's form of an adapter whose factor is 1 everywhere.

    Args:
        base_name: The base's name; None if it has none.
        rank: Rank of all updates.
        modules: Last parts of the names of the linear maps.
    """
    config = LoraConfig(
        base_model_name_or_path=base_name,
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,
        target_modules=sorted(modules),
        inference_mode=True,
    )
    return config.to_dict() | {"target_modules": sorted(modules)}


def add_up(parts: list[tuple[Adapter, float]], rank: int) -> tuple[dict[str, torch.Tensor], float]:
    """The weights of the sum in peft's names, and the share of its squared norm that the rank keeps."""
    tensors, kept, total = {}, 0.0, 0.0
    for module in sorted({module for part, _ in parts for module in part.scales}):
        having = [(part, weight) for part, weight in parts if module in part.scales]
        lora_a = torch.cat([part.weights[f"{module}.lora_A"].float() for part, _ in having])
        columns = [part.weights[f"{module}.lora_B"].float() * weight * part.scales[module] for part, weight in having]
        new_a, new_b, values = shrink(lora_a, torch.cat(columns, dim=1), rank)
        tensors[f"base_model.model.{module}.lora_A.weight"] = new_a.float().contiguous()
        tensors[f"base_model.model.{module}.lora_B.weight"] = new_b.float().contiguous()
        squares = values.square()
        kept, total = kept + squares[:rank].sum().item(), total + squares.sum().item()
    return tensors, kept / total


if __name__ == "__main__":
    main()
