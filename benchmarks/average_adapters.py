"""Add up adapters of one base into one of a given rank.

    python benchmarks/average_adapters.py OUT ADAPTER=WEIGHT ADAPTER=WEIGHT ... --rank 8

The updates B A of the adapters are added with their weights, and the sum is replaced by its best approximation of the
rank (singular value decomposition). A single adapter is scaled by its weight. The manifest records the hashes, the
weights and the share of the squared norm that is kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
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
    options = parser.parse_args()
    parts = [
        (read_adapter(Path(folder)), float(weight))
        for folder, _, weight in (a.rpartition("=") for a in options.adapters)
    ]
    tensors, kept = add_up(parts, options.rank)
    first = parts[0][0]
    config = json.loads((first.path / "adapter_config.json").read_text()) | {
        "r": options.rank,
        "lora_alpha": options.rank,
    }
    manifest = {
        "format": 1,
        "base_model": {"name": first.base_name, "sha256": first.base_sha256},
        "sum_of": [{"adapter_sha256": file_sha256(part.path / WEIGHTS), "weight": weight} for part, weight in parts],
        "share_of_squared_norm_kept": kept,
    }
    options.out.mkdir(parents=True)
    save_file(tensors, options.out / WEIGHTS)
    (options.out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{options.out}: rank {options.rank} keeps {kept:.1%} of the squared norm")  # noqa: T201


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
