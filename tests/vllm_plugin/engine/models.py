"""The models of the engine tests: the embedded SmolLM2-135M, and copies of it that a little noise has changed.

``short`` is the beginning of the same model, for tests that draw very many tokens: its first two layers and the first
8192 tokens of its vocabulary. It has changed copies too: ``short-mild`` and so on. ``tiny`` is a random model whose
heads can be divided among workers.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cosec.decoding.engine import Run, SequenceRequest
from cosec.decoding.engine.lanes import Lanes, ThreeModelLanes, TwoModelLanes
from cosec.decoding.rules import rule_for
from cosec.decoding.settings import DecodingSettings
from cosec.models.loading.bundled import bundled_folder
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.models.loading.load import resolve_model
from cosec.runtime import TorchTokenModel

NOISE = {"mild": 0.06, "strong": 0.24, "base": 0.03, "short-mild": 0.12, "short-strong": 0.5, "short-base": 0.06}
NOISE |= {"tiny-strong": 0.3, "tiny-base": 0.1}
"""Standard deviation of the noise, as a share of that of the weights it is added to."""

SHORT_LAYERS, SHORT_VOCABULARY = 2, 8192

FOLDER = Path(os.environ.get("COSEC_VLLM_MODELS", "/tmp/cosec-vllm-models"))
"""Where the changed copies are kept between runs; half a gigabyte each."""


def model_folder(name: str) -> str:
    """The folder of an embedded model, of ``target``, ``short`` or ``tiny``, or of one of its changed copies."""
    if name in BUNDLED_MODELS:
        return str(resolve_model(name))
    target = _random(FOLDER / "tiny") if name.startswith("tiny") else bundled_folder("smollm2-135m")
    if name.startswith("short"):
        target = _shortened(target, FOLDER / "short")
    return str(_perturbed(target, FOLDER / name, NOISE[name]) if name in NOISE else target)


def _perturbed(target: Path, folder: Path, noise: float) -> Path:
    """A copy of the target with noise on the projections that write to the residual stream."""
    if (folder / "model.safetensors").exists():
        return folder
    weights = _begun(target, folder)
    generator = torch.Generator().manual_seed(7)
    for name in sorted(weights):
        if "mlp.down_proj" in name or "self_attn.o_proj" in name:
            drawn = torch.randn(weights[name].shape, generator=generator)
            weights[name] = weights[name] + (noise * weights[name].float().std() * drawn).to(weights[name].dtype)
    return _finished(weights, folder)


def _random(folder: Path) -> Path:
    """A Llama with random weights: 4 layers, 4 heads, 256 tokens, and no tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    if not (folder / "model.safetensors").exists():
        torch.manual_seed(7)
        shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4}
        shape |= {"num_key_value_heads": 2, "head_dim": 32, "vocab_size": 256, "max_position_embeddings": 256}
        LlamaForCausalLM(LlamaConfig(**shape, initializer_range=0.3)).save_pretrained(folder)
    return folder


def _shortened(target: Path, folder: Path) -> Path:
    """The first layers of the target, with the first tokens of its vocabulary."""
    if (folder / "model.safetensors").exists():
        return folder
    weights = _begun(target, folder)
    later = [name for name in weights if ".layers." in name and int(name.split(".")[2]) >= SHORT_LAYERS]
    for name in later:
        del weights[name]
    for name in [name for name in weights if "embed_tokens" in name or "lm_head" in name]:
        weights[name] = weights[name][:SHORT_VOCABULARY].clone()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"num_hidden_layers": SHORT_LAYERS, "vocab_size": SHORT_VOCABULARY}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return _finished(weights, folder)


def _begun(target: Path, folder: Path) -> dict[str, Tensor]:
    """Make a folder with the target's other files; returns the target's weights."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in target.iterdir():
        if path.suffix != ".safetensors" and path.name != "source.json":
            shutil.copyfile(path, folder / path.name)
    return load_file(target / "model.safetensors")


def _finished(weights: dict[str, Tensor], folder: Path) -> Path:
    """The folder, after its weights have been written."""
    save_file(weights, folder / "unfinished", metadata={"format": "pt"})
    (folder / "unfinished").rename(folder / "model.safetensors")
    return folder


@dataclass
class Reference:
    """The same models in transformers: what the engine should have done, by CoSec's own loop and in closed form."""

    security: str
    base: str | None = None
    target: str = "target"
    dtype: torch.dtype = torch.float32

    @cached_property
    def models(self) -> dict[str, Any]:
        from transformers import AutoModelForCausalLM

        names = {"target": self.target, "security": self.security, **({"base": self.base} if self.base else {})}
        return {
            role: AutoModelForCausalLM.from_pretrained(model_folder(name), dtype=self.dtype).eval()
            for role, name in names.items()
        }

    @torch.inference_mode()
    def logits(self, role: str, prefixes: Sequence[Sequence[int]]) -> Tensor:
        """A model's logits after each of several prefixes of the same length."""
        return self.models[role](torch.tensor(prefixes), logits_to_keep=1).logits[:, -1].double()

    def lanes(self) -> Lanes:
        vocabulary = self.models["target"].config.vocab_size
        token_models = {role: TorchTokenModel(model, vocabulary) for role, model in self.models.items()}
        if self.base:
            return ThreeModelLanes(token_models["security"], token_models["target"], token_models["base"])
        return TwoModelLanes(token_models["security"], token_models["target"], "target")

    def texts(self, prompts: Sequence[Sequence[int]], settings: Sequence[DecodingSettings]) -> list[list[int]]:
        """The tokens that CoSec's own engine writes after each prompt, each by its own settings."""
        requests = [
            SequenceRequest(prompt_ids=tuple(prompt), max_new_tokens=one.sampling.max_new_tokens, settings=one)
            for prompt, one in zip(prompts, settings, strict=True)
        ]
        run = Run(self.lanes(), rule_for(settings[0]), settings[0], requests)
        texts: list[list[int]] = [[] for _ in requests]
        while emissions := run.step():
            for emission in emissions:
                texts[emission.sequence].extend(record.token_id for record in emission.records)
        return texts
