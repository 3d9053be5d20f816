"""Convert a GGUF file to a folder that transformers and peft load: float32 safetensors, configuration, tokenizer.

transformers reads the configuration and the tokenizer. The weights are dequantised one tensor at a time and written
straight to their place, so a conversion needs memory for the largest tensor, not for the model.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import ModelError
from cosec.files import write_atomically
from cosec.models.loading.checks import SINGLE_WEIGHTS
from cosec.models.loading.gguf_positions import require_known_positions, rope_parameters
from cosec.models.loading.quietness import quiet_transformers
from cosec.models.loading.reading import first_line
from cosec.models.loading.safetensors_file import SafetensorsFile
from cosec.models.loading.store import new_folder

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFReader
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_DIGIT_SPLITTING_PRETOKENIZERS = frozenset({"smollm", "starcoder", "refact"})
"""GGUF's names of pre-tokenizers that first split numbers into digits, which transformers' converter leaves out."""

_TOKENIZER_FIELDS = ("model", "pre", "tokens", "token_type")
_CONTROL, _USER_DEFINED = 3, 4
"""GGUF's types of tokens that are matched as a whole."""

_UNWANTED_CONFIG = ("quantization_config", "_name_or_path", "_model_name_or_path", "transformers_version")


def convert_gguf(gguf: Path, folder: Path, *, source: dict[str, str], weights: bool = True) -> None:
    """Dequantise a GGUF file into a new model folder, all at once or not at all.

    Args:
        gguf: The file; its architecture must be one that transformers can read from GGUF.
        folder: The folder to make; a folder that another process made in the meantime is left as it is.
        source: Where the file came from; recorded as ``source.json`` in the folder.
        weights: Whether to write weights too, and not only configuration and tokenizer.

    Raises:
        ModelError: If the file is corrupt or of an architecture that cannot be converted.
        OSError: If the folder cannot be written, such as on a full disk.
    """
    _check_magic(gguf)
    with _parsed_once(gguf) as reader, quiet_transformers():
        _check_tokens(gguf, reader)
        if weights:
            with _corruption_named(gguf):
                require_known_positions(reader, str(gguf))
        outline, tokenizer = _read_outline(gguf, reader)
        with new_folder(folder) as unfinished:
            outline.config.save_pretrained(unfinished)
            if outline.generation_config is not None:
                outline.generation_config.save_pretrained(unfinished)
            tokenizer.save_pretrained(unfinished)
            _mend_tokenizer(unfinished / "tokenizer.json", reader)
            if weights:
                _write_weights(gguf, reader, outline, unfinished / SINGLE_WEIGHTS)
            write_atomically(unfinished / "source.json", json.dumps(source, indent=2) + "\n")


def _check_magic(gguf: Path) -> None:
    with gguf.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise ModelError(f"{gguf} does not start like a GGUF file; fetch it again.")


@contextlib.contextmanager
def _corruption_named(gguf: Path) -> Iterator[None]:
    """Turn any exception of the readers into one error that names the file; damage raises exceptions of all kinds."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"{gguf} could not be converted ({first_line(error)}); it is corrupt, of an architecture that "
            "transformers does not read from GGUF, or beside a tokenizer_config.json that names code to run: then "
            "move it to a folder of its own."
        ) from error


@contextlib.contextmanager
def _parsed_once(gguf: Path) -> Iterator[GGUFReader]:
    """Parse the file's metadata, and let transformers use the same reader inside the block."""
    from cosec.models.internals import read_gguf, reuse_gguf_reader

    with _corruption_named(gguf):
        reader = read_gguf(gguf)
    with reuse_gguf_reader(gguf, reader):
        yield reader


def _check_tokens(gguf: Path, reader: GGUFReader) -> None:
    """Refuse a vocabulary with a token twice, for which llama.cpp ends the process."""
    with _corruption_named(gguf):
        field = reader.fields.get("tokenizer.ggml.tokens")
        # llama.cpp reads a token to its first null byte, and gives empty ones names of their own.
        tokens = [] if field is None else [read for token in field.contents() if (read := token.partition("\0")[0])]
        if len(set(tokens)) < len(tokens):
            raise ModelError(f"{gguf} has a token twice in its vocabulary, so it is damaged; fetch it again.")


def _read_outline(gguf: Path, reader: GGUFReader) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Read configuration and tokenizer, and build the model on the device ``meta``, without weights."""
    import torch
    from transformers.models.auto.configuration_auto import AutoConfig
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM
    from transformers.models.auto.tokenization_auto import AutoTokenizer

    # transformers draws this progress bar even if progress bars are disabled.
    with contextlib.redirect_stderr(io.StringIO()), _corruption_named(gguf):
        tokenizer: Any = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
        read: Any = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name, trust_remote_code=False)
        entries = {key: value for key, value in read.to_dict().items() if key not in _UNWANTED_CONFIG}
        if "rope_parameters" in entries:
            entries["rope_parameters"] = rope_parameters(reader, entries["rope_parameters"])
        automatic: Any = AutoModelForCausalLM
        with torch.device("meta"):
            outline: Any = automatic.from_config(type(read)(**entries), dtype=torch.float32, trust_remote_code=False)
        outline.tie_weights()
        outline.config.architectures = [type(outline).__name__]
        outline.config.dtype = torch.float32
    return outline, tokenizer


def _write_weights(gguf: Path, reader: GGUFReader, outline: PreTrainedModel, file: Path) -> None:
    """Write every tensor of the outline once; a tied tensor gets the first of its names."""
    names: dict[int, str] = {}
    for name, value in outline.state_dict(keep_vars=True).items():
        names.setdefault(id(value), name)
    shapes = {name: tuple(outline.get_parameter_or_buffer(name).shape) for name in names.values()}
    with SafetensorsFile(file, shapes) as weights:
        for name, values in _dequantised(gguf, reader, outline):
            if name in shapes:
                if values.shape != shapes[name]:
                    raise ModelError(f"{gguf} could not be converted (its {name} has the shape {values.shape}).")
                weights.write(name, values)
        if weights.missing:
            raise ModelError(
                f"{gguf} could not be converted (it lacks {len(weights.missing)} weights, first {weights.missing[0]})."
            )


def _dequantised(gguf: Path, reader: GGUFReader, outline: PreTrainedModel) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each tensor of the file as float32, with its name and layout in transformers."""
    from gguf import dequantize

    from cosec.models.internals import gguf_processor

    with _corruption_named(gguf):
        processor, places = gguf_processor(reader.fields["general.architecture"].contents(), outline)
    # A tensor of the model that is made of several of the file is collected here by the processor.
    collected: dict[str, Any] = {"config": outline.config.to_dict(), "tensors": {}}
    for tensor in reader.tensors:
        with _corruption_named(gguf):
            values = dequantize(tensor.data, tensor.tensor_type)
            result = processor.process(
                weights=values, name=tensor.name, tensor_key_mapping=places, parsed_parameters=collected
            )
        if result.name in places:
            yield places[result.name], result.weights
    for name, value in collected["tensors"].items():
        yield name, value.float().numpy()


def _mend_tokenizer(file: Path, reader: GGUFReader) -> None:
    """Correct what transformers' converter gets wrong in byte-level tokenizers, in the saved ``tokenizer.json``.

    The converter does not split digits where the file asks for it. It also spells special tokens outside the byte
    alphabet (those of DeepSeek) as bytes, so that they are not special.
    """
    fields = reader.fields
    described = {key: fields[f"tokenizer.ggml.{key}"].contents() for key in _TOKENIZER_FIELDS if _has(fields, key)}
    if described.get("model") != "gpt2":
        return
    content = json.loads(file.read_text(encoding="utf-8"))
    if described.get("pre") in _DIGIT_SPLITTING_PRETOKENIZERS:
        digits = {"type": "Digits", "individual_digits": True}
        content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, content["pre_tokenizer"]]}
    _respell_special_tokens(content, described["tokens"], described.get("token_type", []))
    write_atomically(file, json.dumps(content, ensure_ascii=False))


def _has(fields: Mapping[str, object], key: str) -> bool:
    return f"tokenizer.ggml.{key}" in fields


def _respell_special_tokens(content: dict[str, Any], tokens: Sequence[str], kinds: Sequence[int]) -> None:
    """Restore the spelling of special tokens, and whether they are control tokens, from the GGUF file."""
    spelled = {index: token for token, index in content["model"]["vocab"].items()}
    wrong = {
        index: token
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=False))
        if kind in (_CONTROL, _USER_DEFINED) and spelled.get(index) != token
    }
    if not wrong:
        return
    right = {index: wrong.get(index, token) for index, token in spelled.items()}
    content["model"]["vocab"] = {token: index for index, token in sorted(right.items())}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    mended = [
        {"id": index, "content": token, **flags, "special": kinds[index] == _CONTROL} for index, token in wrong.items()
    ]
    # Tokens with higher ids than the file's are the converter's second copies of misspelled ones.
    kept = [token for token in content["added_tokens"] if token["id"] < len(tokens) and token["id"] not in wrong]
    content["added_tokens"] = sorted([*kept, *mended], key=lambda token: token["id"])
    for special in _template_tokens(content.get("post_processor") or {}):
        special["ids"] = [
            content["model"]["vocab"].get(token, known)
            for token, known in zip(special["tokens"], special["ids"], strict=True)
        ]


def _template_tokens(processor: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tokens that a post-processor adds to every text, such as the one that begins it."""
    for one in (processor, *processor.get("processors", ())):
        if one.get("type") == "TemplateProcessing":
            yield from one["special_tokens"].values()
