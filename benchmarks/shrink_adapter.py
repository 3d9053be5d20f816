"""Reduce an adapter to a lower rank and to float16, so that it is small enough to ship.

    python benchmarks/shrink_adapter.py ADAPTER OUT --rank 8

Each update B A is replaced by its best approximation of that rank (singular value decomposition); an update of a lower
rank gets rows and columns of 0, as all have the factor alpha / rank. The manifest records the original's hash and the
share of the squared Frobenius norm that is kept, over all updates and for the worst one.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import pad

from cosec.models.identity import file_sha256

WEIGHTS = "adapter_model.safetensors"


def factors(u: Tensor, values: Tensor, v: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Both matrices of the best approximation of a rank, filled with 0 if there are fewer singular values.

    Args:
        u: Left singular vectors, in columns.
        values: Singular values, the largest first.
        v: Right singular vectors, in rows.
        rank: Number of rows of the first matrix and of columns of the second.
    """
    root = values[:rank].sqrt()
    existing, missing = len(root), rank - len(root)
    return pad(root[:, None] * v[:existing], (0, 0, 0, missing)), pad(u[:, :existing] * root, (0, missing))


def shrink(lora_a: Tensor, lora_b: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """The two matrices of the best update of another rank, and the singular values of the original.

    Args:
        lora_a: Shape (old rank, inputs).
        lora_b: Shape (outputs, old rank).
        rank: The new rank.
    """
    left, left_factor = torch.linalg.qr(lora_b.double())
    right, right_factor = torch.linalg.qr(lora_a.double().T)
    u, values, v = torch.linalg.svd(left_factor @ right_factor.T)
    return *factors(left @ u, values, v @ right.T, rank), values


def main() -> None:
    """Read the adapter, shrink every update and write the new folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rank", type=int, default=8)
    options = parser.parse_args()
    config = json.loads((options.adapter / "adapter_config.json").read_text())
    patterned = [name for name in ("use_rslora", "alpha_pattern", "rank_pattern") if config.get(name)]
    if patterned:
        raise SystemExit(f"{options.adapter} uses {', '.join(patterned)}: its factors are not alpha / rank")
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
