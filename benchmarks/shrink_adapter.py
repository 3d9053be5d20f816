"""Reduce an adapter to a lower rank and to float16, so that it is small enough to ship.

    python benchmarks/shrink_adapter.py ADAPTER OUT --rank 8

Each update B A is replaced by its best approximation of that rank (singular value decomposition). The manifest records
the original's hash and the share of the squared Frobenius norm that is kept, over all updates and for the worst one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cosec.models.identity import file_sha256

WEIGHTS = "adapter_model.safetensors"


def shrink(lora_a: Tensor, lora_b: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two matrices of the best update of a lower rank, and the singular values of the original.

    Args:
        lora_a: Shape (old rank, inputs).
        lora_b: Shape (outputs, old rank).
        rank: The new rank.
    """
    left, left_factor = torch.linalg.qr(lora_b.double())
    right, right_factor = torch.linalg.qr(lora_a.double().T)
    u, values, v = torch.linalg.svd(left_factor @ right_factor.T)
    root = values[:rank].sqrt()
    return root[:, None] * (right @ v.T[:, :rank]).T, left @ u[:, :rank] * root, values


def main() -> None:
    """Read the adapter, shrink every update and write the new folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rank", type=int, default=8)
    options = parser.parse_args()
    config = json.loads((options.adapter / "adapter_config.json").read_text())
    manifest = json.loads((options.adapter / "manifest.json").read_text())
    weights = load_file(options.adapter / WEIGHTS)
    scale = options.rank * config["lora_alpha"] / config["r"]
    small, kept, total, worst = {}, 0.0, 0.0, 1.0
    for name, lora_a in weights.items():
        if "lora_A" not in name:
            continue
        other = name.replace("lora_A", "lora_B")
        new_a, new_b, values = shrink(lora_a, weights[other], options.rank)
        small[name], small[other] = new_a.half().contiguous(), new_b.half().contiguous()
        squares = values.square()
        kept, total = kept + squares[: options.rank].sum().item(), total + squares.sum().item()
        worst = min(worst, (squares[: options.rank].sum() / squares.sum()).item())
    options.out.mkdir(parents=True)
    save_file(small, options.out / WEIGHTS)
    config.update(r=options.rank, lora_alpha=scale)
    (options.out / "adapter_config.json").write_text(json.dumps(config, indent=2))
    manifest["shrunk"] = {
        "from_sha256": file_sha256(options.adapter / WEIGHTS),
        "from_rank": len(next(iter(weights.values()))),
        "rank": options.rank,
        "dtype": "float16",
        "kept": round(kept / total, 4),
        "kept_of_worst": round(worst, 4),
    }
    manifest["adapter_sha256"] = file_sha256(options.out / WEIGHTS)
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    for name in ("curves.jsonl", "curves.png"):
        shutil.copy(options.adapter / name, options.out / name)
    print(json.dumps(manifest["shrunk"], indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
