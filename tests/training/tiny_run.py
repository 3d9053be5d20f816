"""One hardening run of a tiny model, as tests need it: in this process, or as a program among several processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cosec.models.families import lora_targets
from cosec.training.data.corpus import Corpus
from cosec.training.hardening import BaseModel, HardeningResult, harden
from cosec.training.settings import HardeningSettings
from cosec.training.starting_adapter import StartingAdapter
from tests.tiny import tiny_model, tiny_tokenizer

FAST: dict[str, Any] = {
    "cwe_floor": 0,
    "language_floor": 0,
    "max_tokens": 64,
    "lora_rank": 4,
    "lora_dropout": 0.2,
    "learning_rate": 5e-3,
    "warmup_steps": 2,
    "epochs": 2,
}
"""Few, large steps; dropout high enough that a wrong random stream shows."""


def tiny_base(architecture: str = "llama") -> BaseModel:
    """A tiny model, ready to be trained."""
    model = tiny_model(architecture).requires_grad_(False)
    return BaseModel(
        model=model,
        tokenizer=tiny_tokenizer(architecture),
        name="tiny",
        sha256="0" * 64,
        lora_targets=lora_targets(model),
    )


def run(
    data: Path,
    out: Path,
    *,
    texts: Corpus | None = None,
    start: StartingAdapter | None = None,
    resume: bool = False,
    progress: Any = None,
    **settings: Any,
) -> HardeningResult:
    """Train a tiny Llama on the pairs in ``data``."""
    chosen = HardeningSettings(**{**FAST, **settings})
    chosen = start.shape(chosen) if start else chosen
    return harden(tiny_base(), [data], chosen, out, texts=texts, start=start, resume=resume, progress=progress)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
