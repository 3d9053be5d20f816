"""Write what alignment with `--train lora` changed in a student as an adapter on that student.

    python benchmarks/adapter_of_student.py ALIGNED STUDENT OUT --rank 8

ALIGNED is the output of ``cosec align --train lora``, STUDENT the name or folder of the model that it started from. The
change of each weight is replaced by its best approximation of the rank (singular value decomposition), in float16. At
the rank of the run that is the run's own adapter, up to rounding. The manifest holds that of the run, and the share of
the squared norm that is kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from average_adapters import plain_config
from safetensors.torch import load_file, save_file
from shrink_adapter import factors

from cosec.models.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from cosec.models.identity import file_sha256, model_fingerprint
from cosec.models.loading import resolve_model
from cosec.models.loading.checks import weight_files


def main() -> None:
    """Read both models and write the adapter."""
    parser = argparse.ArgumentParser()
    parser.add_argument("aligned", type=Path)
    parser.add_argument("student")
    parser.add_argument("out", type=Path)
    parser.add_argument("--rank", type=int, default=8)
    options = parser.parse_args()
    student = resolve_model(options.student)
    before, after = all_weights(student), all_weights(options.aligned)
    tensors, modules, kept, total = {}, set(), 0.0, 0.0
    for name, weight in before.items():
        change = after[name].double() - weight.double()
        if not change.any():
            continue
        module = name.removesuffix(".weight")
        u, values, v = torch.linalg.svd(change, full_matrices=False)
        lora_a, lora_b = factors(u, values, v, options.rank)
        tensors[f"base_model.model.{module}.lora_A.weight"] = lora_a.half().contiguous()
        tensors[f"base_model.model.{module}.lora_B.weight"] = lora_b.half().contiguous()
        modules.add(module.rpartition(".")[2])
        kept, total = kept + values[: options.rank].square().sum().item(), total + values.square().sum().item()
    if not tensors:
        raise SystemExit("ALIGNED equals STUDENT: no epoch lowered the validation loss")
    options.out.mkdir(parents=True)
    save_file(tensors, options.out / ADAPTER_WEIGHTS)
    config = plain_config(options.student, options.rank, modules)
    (options.out / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    manifest = {
        "format": 1,
        "base_model": {"name": options.student, "sha256": model_fingerprint(student)},
        "adapter_sha256": file_sha256(options.out / ADAPTER_WEIGHTS),
        "share_of_squared_norm_kept": kept / total,
        "alignment": json.loads((options.aligned / "manifest.json").read_text()),
    }
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(f"{options.out}: rank {options.rank} keeps {kept / total:.4%} of the squared norm")  # noqa: T201


def all_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a model, in one file or in several."""
    return {name: weight for file in weight_files(folder) for name, weight in load_file(file).items()}


if __name__ == "__main__":
    main()
