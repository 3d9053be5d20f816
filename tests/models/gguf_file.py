"""Write a tiny Llama or Qwen2 model as a GGUF file, the way llama.cpp's converter does."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from transformers import PreTrainedModel

from tests.tiny import tiny_tokenizer

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(
    model: PreTrainedModel,
    path: Path,
    *,
    pretokenizer: str = "smollm",
    quantisation: gguf.GGMLQuantizationType | None = None,
    left_out: str = "",
    with_tokenizer: bool = True,
    first_token: str | None = None,
    more: Callable[[gguf.GGUFWriter], None] = lambda writer: None,
) -> Path:
    """Write ``model``, its matrices quantised where their rows allow it, without the tensor ``left_out``.

    A ``first_token`` begins every text. ``more`` adds entries or tensors.
    """
    config = model.config
    architecture = config.model_type
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if architecture == "llama":
        writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    if with_tokenizer:
        _add_tokenizer(writer, pretokenizer, architecture, first_token)
    else:
        writer.add_tokenizer_model("none")
    for name, tensor in model.state_dict().items():
        values = tensor.numpy()
        if "q_proj" in name and architecture == "llama":
            values = _interleave(values, config.num_attention_heads)
        if "k_proj" in name and architecture == "llama":
            values = _interleave(values, config.num_key_value_heads)
        if name == left_out:
            continue
        values = np.ascontiguousarray(values)
        if quantisation is not None and values.ndim == 2 and values.shape[1] % 32 == 0:
            writer.add_tensor(_gguf_name(name), gguf.quantize(values, quantisation), raw_dtype=quantisation)
        else:
            writer.add_tensor(_gguf_name(name), values)
    more(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: gguf.GGUFWriter, pretokenizer: str, architecture: str, first_token: str | None) -> None:
    import json

    tokenizer = tiny_tokenizer(architecture)
    content = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["id"] for token in content["added_tokens"]}
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    if first_token is not None:
        tokens[0] = first_token
        writer.add_add_bos_token(True)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pretokenizer)
    writer.add_token_list(tokens)
    kinds = (gguf.TokenType.CONTROL if index in special else gguf.TokenType.NORMAL for index in range(len(tokens)))
    writer.add_token_types(list(kinds))
    writer.add_token_merges([" ".join(merge) for merge in content["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)


def _gguf_name(name: str) -> str:
    parts, _, kind = name.rpartition(".")
    if parts.startswith("model.layers."):
        _, _, layer, rest = parts.split(".", 3)
        return f"blk.{layer}.{NAMES[rest]}.{kind}"
    return f"{NAMES[parts]}.{kind}"


def _interleave(values: np.ndarray, heads: int) -> np.ndarray:
    """Order the rotary halves of each head as GGUF wants them."""
    return values.reshape(heads, 2, values.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(values.shape)
