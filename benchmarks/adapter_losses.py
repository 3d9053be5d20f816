"""Measure the validation loss of an adapter: `benchmarks/adapter_losses.py BASE ADAPTER PAIRS...`.

The losses are those of `cosec tune`, over the pairs below ``val/``: the negative log likelihood of the changed tokens,
and the divergence from the base on the others, in nats. So adapters that were trained on other pairs can be compared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean

import torch

from cosec.training.base_model import load_base
from cosec.training.hardening import attach_adapter, prepare_examples
from cosec.training.loop.fast_linear import speed_up
from cosec.training.objective import HardeningObjective
from cosec.training.settings import HardeningSettings
from cosec.training.starting_adapter import read_starting_adapter


@torch.no_grad()
def main() -> None:
    """Print the losses as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("adapter")
    parser.add_argument("pairs", nargs="+", type=Path)
    parser.add_argument("--max-tokens", type=int, default=512)
    options = parser.parse_args()
    start = read_starting_adapter(options.adapter)
    settings = start.shape(HardeningSettings(max_tokens=options.max_tokens))
    base = load_base(options.base, settings, dtype="float32")
    start.check_base(base.sha256)
    examples = prepare_examples(base.tokenizer, options.pairs, settings).validation
    model = attach_adapter(base, settings, torch.device("cpu"))
    start.copy_into(model)
    speed_up(model)
    objective = HardeningObjective(model, settings)
    losses = [objective.loss(one, training=False, cache_key="") for one in examples]
    means = {part: fmean(one.parts[part].item() for one in losses) for part in ("security", "functional")}
    print(json.dumps({"adapter_sha256": start.sha256, "validation_pairs": len(examples), **means}))  # noqa: T201


if __name__ == "__main__":
    main()
