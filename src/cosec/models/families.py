"""Model families: what differs from one family of code models to the next, as data.

A family is recognised by its architecture and by tokens that only its tokenizer has, never by the model's name. This
module knows nothing about files or weights.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cosec.errors import SettingsError, UnknownArchitecture

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True, kw_only=True)
class FimTokens:
    """The tokens that mark a fill-in-the-middle prompt."""

    prefix: str
    middle: str
    suffix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of code models."""

    name: str
    """Short name for users, such as ``"qwen2.5-coder"``."""

    model_type: str
    """Name of the architecture in ``config.json``."""

    marks: tuple[str, ...]
    """Tokens of the family's tokenizer that other families of the architecture do not have."""

    lora_targets: tuple[str, ...]
    """Suffixes of the names of the attention projections, as peft's ``target_modules`` takes them."""

    fim: FimTokens | None
    """None if the family was not trained to fill in the middle."""

    extra_stop_tokens: tuple[str, ...]
    """Tokens that end a completion beside the configured ones; a tokenizer need not have all of them."""

    teacher: str
    """Hub id of the larger model that the alignment (phase 1) distils from."""

    student: str
    """Hub id of the small model that becomes the security model."""


_LLAMA_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


def _deepseek_mark(name: str) -> str:
    """Spell a special token of DeepSeek, with full-width bars and U+2581 for spaces."""
    bar = "\N{FULLWIDTH VERTICAL LINE}"
    return f"<{bar}{name.replace(' ', chr(0x2581))}{bar}>"


FAMILIES = (
    Family(
        name="codegen",
        model_type="codegen",
        marks=(),
        lora_targets=("attn.qkv_proj", "attn.out_proj"),
        fim=None,
        extra_stop_tokens=("<|endoftext|>",),
        teacher="Salesforce/codegen-6B-multi",
        student="Salesforce/codegen-350M-multi",
    ),
    Family(
        name="starcoderbase",
        model_type="gpt_bigcode",
        marks=("<fim_prefix>", "<fim_middle>", "<fim_suffix>"),
        # "c_proj" alone would also match the output of the feed-forward block.
        lora_targets=("attn.c_attn", "attn.c_proj"),
        fim=FimTokens(prefix="<fim_prefix>", middle="<fim_middle>", suffix="<fim_suffix>"),
        extra_stop_tokens=("<|endoftext|>", "<filename>", "<fim_pad>"),
        teacher="bigcode/starcoderbase-7b",
        student="bigcode/starcoderbase-1b",
    ),
    Family(
        name="deepseek-coder",
        model_type="llama",
        marks=(_deepseek_mark("fim begin"), _deepseek_mark("fim hole"), _deepseek_mark("fim end")),
        lora_targets=_LLAMA_PROJECTIONS,
        fim=FimTokens(
            prefix=_deepseek_mark("fim begin"), middle=_deepseek_mark("fim end"), suffix=_deepseek_mark("fim hole")
        ),
        extra_stop_tokens=(_deepseek_mark("end of sentence"), "<|EOT|>"),
        teacher="deepseek-ai/deepseek-coder-6.7b-base",
        student="deepseek-ai/deepseek-coder-1.3b-base",
    ),
    Family(
        name="qwen2.5-coder",
        model_type="qwen2",
        marks=("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
        lora_targets=_LLAMA_PROJECTIONS,
        fim=FimTokens(prefix="<|fim_prefix|>", middle="<|fim_middle|>", suffix="<|fim_suffix|>"),
        extra_stop_tokens=("<|endoftext|>", "<|im_end|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"),
        teacher="Qwen/Qwen2.5-Coder-14B",
        student="Qwen/Qwen2.5-Coder-1.5B",
    ),
    Family(
        name="smollm2",
        model_type="llama",
        marks=("<|im_start|>", "<|im_end|>", "<gh_stars>", "<jupyter_start>"),
        lora_targets=_LLAMA_PROJECTIONS,
        fim=None,
        extra_stop_tokens=("<|endoftext|>", "<|im_end|>", "<repo_name>", "<file_sep>", "<filename>"),
        teacher="HuggingFaceTB/SmolLM2-1.7B",
        student="HuggingFaceTB/SmolLM2-135M",
    ),
)
"""The four families of the paper with their teachers and students, and the family of the embedded SmolLM2."""

_ATTENTION_BLOCK_NAMES = ("attn", "self_attn", "attention", "self_attention")
"""Names of the module with the attention projections, which differ by architecture."""


def family_of(model_type: str, tokens: Container[str] | None = None) -> Family | None:
    """Recognise a family by its architecture and the tokens of its tokenizer.

    Args:
        model_type: What ``config.json`` says under that name.
        tokens: The tokenizer's vocabulary, or those marks of families that are in it. Without it, a family is
            recognised only if it is the only one of its architecture.

    Returns:
        The family, or None if it is not a known one.
    """
    candidates = [family for family in FAMILIES if family.model_type == model_type]
    if tokens is None:
        return candidates[0] if len(candidates) == 1 else None
    return next((family for family in candidates if all(mark in tokens for mark in family.marks)), None)


def known_marks(tokenizer: PreTrainedTokenizerFast) -> frozenset[str]:
    """The marks of families that a tokenizer knows, looked up without listing its vocabulary."""
    find = tokenizer.backend_tokenizer.token_to_id
    return frozenset(mark for family in FAMILIES for mark in family.marks if find(mark) is not None)


def lora_targets(model: nn.Module, named: Sequence[str] | None = None) -> tuple[str, ...]:
    """Choose the linear maps that a LoRA adapter changes.

    Names given by the user have priority. Then come those of the known families of the architecture, and last every
    linear map directly inside an attention block.

    Args:
        model: A transformers model; its weights need not be loaded.
        named: Names, or suffixes of names, of linear maps; None or empty: no preference.

    Returns:
        Names, or suffixes of names after a dot, as peft's ``target_modules`` takes them.

    Raises:
        UnknownArchitecture: If a given name matches no linear map, or no attention projections are found.
        SettingsError: If a given name matches an output head that shares its weights with the embedding.
    """
    linear_names = _linear_names(model)
    if named:
        missing = [name for name in named if not _matching(linear_names, name)]
        if missing:
            raise UnknownArchitecture(
                f"No linear map of this model is called {', '.join(map(repr, missing))}; "
                f"--lora-targets can name: {', '.join(_last_parts(linear_names))}."
            )
        head = _tied_head(model)
        tied = [name for name in named if head in _matching(linear_names, name)]
        if tied:
            raise SettingsError(
                f"--lora-targets {', '.join(tied)}: the output head of this model shares its weights with the "
                "embedding, so an adapter of it cannot be merged; leave it out."
            )
        return tuple(named)
    model_type = str(getattr(getattr(model, "config", None), "model_type", type(model).__name__))
    known = {family.lora_targets for family in FAMILIES if family.model_type == model_type}
    if len(known) == 1:
        return known.pop()
    found = sorted({".".join(name.split(".")[-2:]) for name in linear_names if _in_attention_block(name)})
    if found:
        return tuple(found)
    raise UnknownArchitecture(
        f"The attention projections of a {model_type!r} model are not known and could not be found; name them with "
        f"--lora-targets, for example from: {', '.join(_last_parts(linear_names)) or 'none, it has no linear maps'}."
    )


def _linear_names(model: nn.Module) -> list[str]:
    from torch import nn

    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def _tied_head(model: nn.Module) -> str | None:
    """Name of the output head if its weights are those of the embedding."""
    causal: Any = model
    if not getattr(getattr(model, "config", None), "tie_word_embeddings", False):
        return None
    head = causal.get_output_embeddings()
    return next((name for name, module in model.named_modules() if module is head), None)


def _matching(linear_names: Sequence[str], name: str) -> list[str]:
    return [linear for linear in linear_names if linear == name or linear.endswith(f".{name}")]


def _in_attention_block(name: str) -> bool:
    parts = name.split(".")
    return len(parts) > 1 and parts[-2] in _ATTENTION_BLOCK_NAMES


def _last_parts(linear_names: Sequence[str]) -> list[str]:
    return sorted({name.rpartition(".")[2] for name in linear_names})
