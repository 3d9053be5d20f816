"""From a GGUF file to a folder that transformers and peft load: float32 safetensors, configuration, tokenizer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import ModelError
from cosec.models.quietness import quiet_transformers
from cosec.models.store import new_folder, write_atomically

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DIGIT_SPLITTING_PRETOKENIZERS = frozenset({"smollm", "starcoder", "refact"})
"""GGUF's names of pre-tokenizers that split numbers into digits first, which transformers' converter leaves out."""

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
            if _pretokenizer(gguf) in DIGIT_SPLITTING_PRETOKENIZERS:
                _split_digits(tokenizer)
        except (OSError, ValueError, KeyError, IndexError, TypeError, RuntimeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"{gguf} could not be converted ({reason}); it is corrupt or of an architecture that transformers "
                "does not read from GGUF."
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


def _pretokenizer(gguf: Path) -> str | None:
    from gguf import GGUFReader

    field = GGUFReader(gguf).fields.get("tokenizer.ggml.pre")
    return None if field is None else str(field.contents())


def _split_digits(tokenizer: PreTrainedTokenizerFast) -> None:
    from tokenizers import pre_tokenizers

    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), backend.pre_tokenizer]
    )
