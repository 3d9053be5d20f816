"""From a GGUF file to a folder that transformers and peft load: float32 safetensors, configuration, tokenizer."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import ModelError
from cosec.models.loading.quietness import quiet_transformers
from cosec.models.loading.reading import first_line
from cosec.models.loading.store import new_folder, write_atomically

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DIGIT_SPLITTING_PRETOKENIZERS = frozenset({"smollm", "starcoder", "refact"})
"""GGUF's names of pre-tokenizers that split numbers into digits first, which transformers' converter leaves out."""

TOKENIZER_FIELDS = ("model", "pre", "tokens", "token_type")
CONTROL, USER_DEFINED = 3, 4
"""GGUF's kinds of tokens that are matched whole."""

UNWANTED_CONFIG = ("quantization_config", "_name_or_path", "_model_name_or_path", "transformers_version")


def convert_gguf(gguf: Path, folder: Path, *, source: dict[str, str]) -> None:
    """Dequantise a GGUF file into a new model folder, all at once or not at all.

    Args:
        gguf: The file; its architecture must be one that transformers can read from GGUF.
        folder: The folder to make; when it exists after all, it is left as it is.
        source: Where the file came from, recorded as ``source.json``.

    Raises:
        ModelError: If the file is corrupt or of an architecture that cannot be converted.
    """
    # Outside the block: a full disk while writing is an OSError of its own, not a corrupt file.
    model, tokenizer = _read_gguf(gguf)
    with new_folder(folder) as unfinished, quiet_transformers():
        model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        _mend_tokenizer(unfinished / "tokenizer.json", gguf)
        write_atomically(unfinished / "source.json", json.dumps(source, indent=2) + "\n")


def _read_gguf(gguf: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    import torch
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM
    from transformers.models.auto.tokenization_auto import AutoTokenizer

    _check_magic(gguf)
    # transformers draws this one progress bar whatever its settings say.
    with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        # The readers meet damage wherever it is, with any exception.
        except Exception as error:
            raise ModelError(
                f"{gguf} could not be converted ({first_line(error)}); it is corrupt or of an architecture that "
                "transformers does not read from GGUF."
            ) from error
        return _as_plain_model(model), tokenizer


def _check_magic(gguf: Path) -> None:
    with gguf.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelError(f"{gguf} does not start like a GGUF file; fetch it again.")


def _as_plain_model(model: PreTrainedModel) -> PreTrainedModel:
    """Move dequantised weights into a model that forgets it came from GGUF, since such a model refuses to be saved."""
    import torch

    entries: dict[str, Any] = {
        key: value for key, value in model.config.to_dict().items() if key not in UNWANTED_CONFIG
    }
    with torch.device("meta"):
        plain = type(model)(type(model.config)(**entries))
    plain.load_state_dict(model.state_dict(), assign=True)
    plain.tie_weights()
    return plain


def _mend_tokenizer(file: Path, gguf: Path) -> None:
    """Put right what transformers' converter gets wrong in byte-level tokenizers, in the saved ``tokenizer.json``.

    It does not split digits where the file asks for it, and it spells special tokens outside the byte alphabet (those
    of DeepSeek) as bytes, so that they are no longer special.
    """
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields
    described = {key: fields[f"tokenizer.ggml.{key}"].contents() for key in TOKENIZER_FIELDS if _has(fields, key)}
    if described.get("model") != "gpt2":
        return
    content = json.loads(file.read_text(encoding="utf-8"))
    if described.get("pre") in DIGIT_SPLITTING_PRETOKENIZERS:
        digits = {"type": "Digits", "individual_digits": True}
        content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}
    _respell_special_tokens(content, described["tokens"], described.get("token_type", []))
    write_atomically(file, json.dumps(content, ensure_ascii=False))


def _has(fields: Mapping[str, object], key: str) -> bool:
    return f"tokenizer.ggml.{key}" in fields


def _respell_special_tokens(content: dict[str, Any], tokens: Sequence[str], kinds: Sequence[int]) -> None:
    """Give special tokens the spelling and the standing that the GGUF file gives them."""
    spelled = {index: token for token, index in content["model"]["vocab"].items()}
    wrong = {
        index: token
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=False))
        if kind in (CONTROL, USER_DEFINED) and spelled.get(index) != token
    }
    if not wrong:
        return
    right = {index: wrong.get(index, token) for index, token in spelled.items()}
    content["model"]["vocab"] = {token: index for index, token in sorted(right.items())}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    mended = [
        {"id": index, "content": token, **flags, "special": kinds[index] == CONTROL} for index, token in wrong.items()
    ]
    # Tokens beyond the file's are the converter's second copies of those it misspelled.
    kept = [token for token in content["added_tokens"] if token["id"] < len(tokens) and token["id"] not in wrong]
    content["added_tokens"] = sorted([*kept, *mended], key=lambda token: token["id"])
