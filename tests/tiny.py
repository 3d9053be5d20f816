"""Tiny models: one randomly initialised model per supported architecture, with a real tokenizer, in milliseconds.

``tiny_model("llama")`` builds a model in memory, ``save_tiny("llama", folder)`` writes a folder that ``load_model`` can
load. The same seed always gives the same weights, so two tests (or processes) see the same model. Every architecture
shares one byte-level tokenizer but for the special tokens by which its family is recognised.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (
    CodeGenConfig,
    GPTBigCodeConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

ARCHITECTURES = ("codegen", "gpt_bigcode", "llama", "qwen2")
END_OF_TEXT = "<|endoftext|>"
CONTEXT_LENGTH = 128
VOCABULARY_SIZE = 320

BAR = "\N{FULLWIDTH VERTICAL LINE}"

# The tokens by which models/families.py recognises each family; "llama" here is DeepSeek-Coder.
SPECIAL_TOKENS = {
    "codegen": (),
    "gpt_bigcode": ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>"),
    "llama": tuple(f"<{BAR}{name}{BAR}>" for name in ("fim▁begin", "fim▁hole", "fim▁end", "end▁of▁sentence")),
    "qwen2": ("<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_sep|>"),
}

_CORPUS = """\
import os
def read(path, name):
    with open(os.path.join(path, name)) as handle:
        return handle.read()
def find(cursor, name):
    cursor.execute("SELECT * FROM users WHERE name = ?", (name,))
    return cursor.fetchall()
int main(int argc, char **argv) { char buffer[16]; strncpy(buffer, argv[1], sizeof(buffer) - 1); return 0; }
for (int index = 0; index < length; index++) { total += values[index]; }
if value is None: raise ValueError("missing value")
"""


def tiny_tokenizer(architecture: str = "llama", *, corpus: str = _CORPUS) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of ``VOCABULARY_SIZE`` entries; another corpus gives other merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT, *SPECIAL_TOKENS[architecture]],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.splitlines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END_OF_TEXT, bos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    )


def beginning_tokenizer() -> PreTrainedTokenizerFast:
    """A tiny tokenizer that begins every text with its beginning-of-text token, as DeepSeek-Coder's does."""
    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, tokenizer.bos_token_id)]
    )
    return tokenizer


def tiny_config(
    architecture: str = "llama", *, layers: int = 2, hidden: int = 32, head_width: int = VOCABULARY_SIZE
) -> PreTrainedConfig:
    """Describe a tiny model; ``head_width`` is the number of logits, at least ``VOCABULARY_SIZE``."""
    common: dict[str, float] = {"vocab_size": head_width, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    # A wide start, so that an untrained model predicts visibly different tokens from one prefix to the next.
    common["initializer_range"] = 0.2
    gpt_style = {"n_positions": CONTEXT_LENGTH, "n_embd": hidden, "n_layer": layers, "n_head": 2}
    llama_style = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT_LENGTH,
    }
    if architecture == "codegen":
        return CodeGenConfig(**common, **{**gpt_style, "n_head": 4}, n_ctx=CONTEXT_LENGTH, rotary_dim=4)
    if architecture == "gpt_bigcode":
        return GPTBigCodeConfig(**common, **gpt_style)
    config_class = {"llama": LlamaConfig, "qwen2": Qwen2Config}[architecture]
    return config_class(**common, **llama_style)


def tiny_model(
    architecture: str = "llama",
    *,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 32,
    head_width: int = VOCABULARY_SIZE,
) -> PreTrainedModel:
    """Build a tiny model in evaluation mode; the same arguments give the same weights."""
    config = tiny_config(architecture, layers=layers, hidden=hidden, head_width=head_width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    return model.eval()


def save_tiny(
    architecture: str,
    folder: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 32,
    head_width: int = VOCABULARY_SIZE,
    corpus: str = _CORPUS,
) -> Path:
    """Write model and tokenizer to ``folder`` (created when missing) and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model(architecture, seed=seed, layers=layers, hidden=hidden, head_width=head_width)
    model.save_pretrained(folder)
    tiny_tokenizer(architecture, corpus=corpus).save_pretrained(folder)
    return folder


def save_tiny_adapter(
    base_folder: Path, folder: Path, *, seed: int = 1, targets: tuple[str, ...] | None = None
) -> Path:
    """Write a LoRA adapter with random, non-zero weights for the model in ``base_folder`` and return its folder."""
    from peft import LoraConfig, get_peft_model

    from cosec.models.families import lora_targets

    model = AutoModelForCausalLM.from_pretrained(base_folder)
    chosen = list(targets or lora_targets(model))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=4, lora_alpha=8, target_modules=chosen, task_type="CAUSAL_LM")
        with warnings.catch_warnings():
            # peft asks transformers for a property by its old name.
            warnings.simplefilter("ignore", FutureWarning)
            adapted = get_peft_model(model, config)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
    adapted.save_pretrained(folder)
    return folder


def save_tiny_prefix(base_folder: Path, folder: Path, *, seed: int = 2, tokens: int = 3) -> Path:
    """Write a prefix of peft with random keys and values for the model in ``base_folder`` and return its folder."""
    from peft import PrefixTuningConfig, get_peft_model

    from cosec.models.cache_shape import cache_shape

    model = AutoModelForCausalLM.from_pretrained(base_folder)
    shape = cache_shape(model.config.to_dict())
    assert shape is not None
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=tokens,
        num_layers=shape.layers,
        num_attention_heads=shape.heads,
        token_dim=shape.heads * shape.width,
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # peft asks transformers for a property by its old name.
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        prefixed = get_peft_model(model, config)
    prefixed.save_pretrained(folder)
    return folder
