"""Multiply what a LoRA adapter adds to its base by a number; the result is an adapter of its own.

    python benchmarks/scale_adapter.py ADAPTER OUT --scale 1.5

The factors B are multiplied and rounded to the number format that they have. The manifest records the number and the
hash of the adapter that was scaled.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file, save_file

from cosec.models.identity import file_sha256

WEIGHTS = "adapter_model.safetensors"


def main() -> None:
    """Read an adapter and write the scaled one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", type=float, required=True)
    options = parser.parse_args()
    tensors = load_file(options.adapter / WEIGHTS)
    scaled = {name: one * options.scale if ".lora_B." in name else one for name, one in tensors.items()}
    options.out.mkdir(parents=True)
    save_file(scaled, options.out / WEIGHTS)
    trained = json.loads((options.adapter / "manifest.json").read_text())
    manifest = {
        "format": trained["format"],
        "base_model": trained["base_model"],
        "adapter_sha256": file_sha256(options.out / WEIGHTS),
        "scaled": {"adapter_sha256": file_sha256(options.adapter / WEIGHTS), "scale": options.scale},
    }
    (options.out / "adapter_config.json").write_text((options.adapter / "adapter_config.json").read_text())
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
