"""Find GGUF models and adapters for llama.cpp, which reads weights in their quantised form.

Beside the file, a model has an *outline*: a folder with configuration and tokenizer, made once for each file, unless
the file has been converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosec.errors import AdapterError, ModelError, SettingsError, UnknownArchitecture
from cosec.models.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    Adapter,
    check_fits,
    is_adapter,
    read_adapter,
    recorded_base,
)
from cosec.models.description import cache_values_per_token
from cosec.models.families import Family, family_of, known_marks
from cosec.models.gguf_adapter import base_of, rule_of, write_gguf_adapter
from cosec.models.identity import file_sha256
from cosec.models.loading.base_match import embedded_with, file_is_for, folder_is_for, is_copy_of
from cosec.models.loading.checks import read_config, read_json
from cosec.models.loading.embedded import BUNDLED_MODELS, gguf_file
from cosec.models.loading.gguf_header import GgufHeader, read_header
from cosec.models.loading.gguf_positions import LONG_FACTORS
from cosec.models.loading.hub import HUB_NAME
from cosec.models.loading.load import (
    NO_SECURITY,
    converted_folder,
    loadable_name,
    name_of_base,
    resolve_base,
    resolve_model,
    resolve_security,
)
from cosec.models.loading.quick_tokenizer import read_quick_tokenizer
from cosec.models.loading.reading import context_length, read_outline, stop_token_ids
from cosec.models.loading.store import cache_root, writing_to_the_cache
from cosec.models.prefixes import is_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufModel:
    """A GGUF file with its tokenizer; its weights are not read yet."""

    name: str
    """The name by which the user asked for it."""

    file: Path
    """The GGUF file."""

    path: Path
    """The folder with its configuration and its tokenizer."""

    config: Mapping[str, Any]
    """Contents of ``config.json``."""

    tokenizer: PreTrainedTokenizerFast
    family: Family | None
    """None if the family is not known."""

    stop_token_ids: frozenset[int]
    """Ids of the tokens that end a completion."""

    context_length: int
    """Largest number of tokens in a prompt and its completion."""

    head_width: int
    """Number of logits, with padding."""

    @property
    def cache_values_per_token(self) -> int | None:
        """Numbers in the key-value cache for each token of a sequence; None if the configuration does not tell."""
        return cache_values_per_token(self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufAdapter:
    """A LoRA adapter as a GGUF file."""

    path: Path
    """The folder or file that the user named."""

    file: Path
    """The GGUF file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufPair:
    """A target and its security model, as ``ModelPair``, in GGUF files."""

    target: GgufModel
    security: GgufModel | None
    """A whole model, or the base of an adapter that was made for another model than the target."""

    adapter: GgufAdapter | None
    """An adapter on ``security``, or on the target if that is None; None if the security model is a whole model."""

    target_is_base: bool = False
    """Whether the security model is a copy of the target's file with an adapter added to its weights."""

    anti_expert: None = None
    """Anti-experts run in torch only."""


def carried_by_gguf(target: str, security: str) -> dict[str, object] | None:
    """Name and settings of the rule in a GGUF adapter, or in a copy of the target with an adapter added.

    Returns:
        Empty if ``security`` is another GGUF file, as a whole model carries no rule; None if it is no GGUF file.

    Raises:
        ModelError: If the file is damaged.
    """
    file = gguf_file(security)
    if file is None:
        return None
    header = read_header(file)
    return rule_of(header) if header.is_adapter or is_copy_of(gguf_file(target), header) else {}


def load_gguf(name: str) -> GgufModel:
    """Read configuration and tokenizer of a GGUF model, and check its file.

    Args:
        name: A GGUF file or a pulled embedded model.

    Raises:
        ModelError: If the file is damaged, its architecture is unknown to transformers, or the cache cannot be written.
        SettingsError: If the name does not stand for a GGUF file.
    """
    header = _header(name)
    if header.is_adapter:
        raise AdapterError(f"{name!r} is an adapter, not a model; name the model that it belongs to as the target.")
    converted = name in BUNDLED_MODELS and BUNDLED_MODELS[name].is_converted
    folder = BUNDLED_MODELS[name].folder if converted else _outline(header.file)
    config = read_config(folder)
    length = context_length(name, config)
    _require_one_embedding(header, length)
    tokenizer = read_quick_tokenizer(name, folder)
    family = family_of(config["model_type"], known_marks(tokenizer))
    return GgufModel(
        name=name,
        file=header.file,
        path=folder,
        config=config,
        tokenizer=tokenizer,
        family=family,
        stop_token_ids=stop_token_ids(folder, config, tokenizer, family),
        context_length=length,
        head_width=_head_width(header),
    )


def _require_one_embedding(header: GgufHeader, length: int) -> None:
    """Refuse a model that embeds positions by the room that all texts take, so that texts change their neighbours."""
    original = header.metadata.get(f"{header.architecture}.rope.scaling.original_context_length")
    if LONG_FACTORS in header.shapes and isinstance(original, int) and length > original:
        raise UnknownArchitecture(
            f"{header.file} reads texts of more than {original} tokens with other rotary embeddings than shorter ones, "
            "so the length of one text would change the others beside it. Choose another model."
        )


def _header(name: str) -> GgufHeader:
    return read_header(require_gguf_file(name))


def require_gguf_file(name: str) -> Path:
    """The GGUF file that a name stands for.

    Args:
        name: A GGUF file or a pulled embedded model.

    Raises:
        ModelNotFound: If there is no such model, or an embedded one has not been pulled.
        SettingsError: If the name does not stand for a GGUF file.
    """
    file = gguf_file(name)
    if file is not None:
        return file
    if name in BUNDLED_MODELS:
        resolve_model(name)  # if it has not been pulled, that is the message to show
        raise SettingsError(
            f"The GGUF file of {name} is no longer there, only its conversion: remove and pull it again (cosec "
            f"models remove {name}; cosec models pull {name}), or run it in torch."
        )
    if Path(name).suffix == ".gguf" or not HUB_NAME.fullmatch(name):
        resolve_model(name)  # if there is no such file or folder, this says so; a hub id would be downloaded
    raise SettingsError(
        f"llama.cpp runs GGUF files and pulled embedded models, and {name!r} is neither: name one of these, or run "
        "it in torch."
    )


def _head_width(header: GgufHeader) -> int:
    shape = header.shapes.get("output.weight") or header.shapes.get("token_embd.weight")
    if shape is None or len(shape) != 2:
        raise ModelError(f"{header.file} has no token embeddings, so it is not a language model.")
    return shape[1]


def _outline(file: Path) -> Path:
    """The folder with configuration and tokenizer of a file; made unless it exists, or the file was converted."""
    sha256 = file_sha256(file)
    converted = converted_folder(sha256)
    if converted.is_dir():
        return converted
    folder = converted.with_name(f"{converted.name}-outline")
    if not folder.is_dir():
        from cosec.models.loading.gguf import convert_gguf

        with writing_to_the_cache():
            convert_gguf(file, folder, source={"gguf": file.name, "gguf_sha256": sha256}, weights=False)
    return folder


def load_gguf_pair(target: str, security: str) -> GgufPair:
    """Find a target and its security model for llama.cpp; no weights are read.

    Args:
        target: A GGUF file or a pulled embedded model.
        security: The same, an adapter as a folder or a GGUF file, ``"default"`` or ``"none"``.

    Raises:
        ModelError: If one of them cannot be found, read or trusted.
        AdapterError: If an adapter is corrupt, or its base is not available.
        SettingsError: If one of them is not a GGUF model.
    """
    ours = load_gguf(target)
    if security == NO_SECURITY:
        return GgufPair(target=ours, security=None, adapter=None)
    file = gguf_file(security)
    if file is not None:
        header = read_header(file)
        if not header.is_adapter:
            copied = is_copy_of(ours.file, header)
            return GgufPair(target=ours, security=load_gguf(security), adapter=None, target_is_base=copied)
        base = _base_of_file(header, ours)
        return GgufPair(target=ours, security=base, adapter=GgufAdapter(path=file, file=file))
    folder = resolve_security(target, security)
    if folder is None or not is_adapter(folder):
        raise SettingsError(
            f"llama.cpp runs GGUF files, pulled embedded models and adapters on them, and the security model "
            f"{security!r} is none of these: name one of these, or run the models in torch."
        )
    adapter = read_adapter(folder)
    other = _base_of_folder(adapter, ours)
    written = adapter_file(adapter, other or ours)
    return GgufPair(target=ours, security=other, adapter=GgufAdapter(path=folder, file=written))


def adapter_for(name: str, adapter: str) -> Path:
    """An adapter as a GGUF file, if it was made for a GGUF model.

    Args:
        name: A GGUF file or a pulled embedded model.
        adapter: An adapter as a folder or a GGUF file, or ``"default"``.

    Raises:
        AdapterError: If it is no adapter, or was made for another model.
        ModelError: If one of them cannot be found, read or trusted.
        SettingsError: If one of them is not a GGUF model.
    """
    pair = load_gguf_pair(name, adapter)
    if pair.adapter is None or pair.security is not None:
        made = f"was made for {pair.security.name}" if pair.adapter and pair.security else "is not an adapter"
        raise AdapterError(f"{adapter!r} {made}, so it cannot be added to {name!r}.")
    return pair.adapter.file


def _base_of_folder(adapter: Adapter, target: GgufModel) -> GgufModel | None:
    """The base of an adapter that was made for another model than the target; None for the target itself."""
    if folder_is_for((adapter.base_name, adapter.base_sha256), target.name, target.path):
        return None
    try:
        embedded = embedded_with(adapter.base_sha256)
        if embedded is not None and gguf_file(embedded) is not None:
            return load_gguf(embedded)
        resolve_base(adapter)
        return load_gguf(name_of_base(adapter))
    except (AdapterError, SettingsError) as error:
        raise AdapterError(f"{error} The target is {target.name!r}.") from error


def _base_of_file(header: GgufHeader, target: GgufModel) -> GgufModel | None:
    """The base of an adapter file that was made for another model than the target; None for the target itself."""
    if file_is_for(header, target.name, target.file):
        return None
    name, _, gguf_sha256 = base_of(header)
    found = None if name is None else gguf_file(name)
    if name is None or found is None or (gguf_sha256 is not None and file_sha256(found) != gguf_sha256):
        raise AdapterError(
            f"The adapter {header.file} was made for {name or 'another file'}, whose GGUF file is not here; the target "
            f"is {target.name!r}."
        )
    return load_gguf(name)


def adapter_file(adapter: Adapter, base: GgufModel) -> Path:
    """The adapter as a GGUF file in the cache; written unless it is there.

    Raises:
        AdapterError: If it cannot be converted.
        ModelError: If the cache cannot be written.
    """
    parts = (file_sha256(adapter.path / name)[:20] for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG))
    file = cache_root() / "gguf" / "adapters" / f"{'-'.join(parts)}-{base.config['model_type']}.gguf"
    if not file.is_file():
        with writing_to_the_cache():
            write_gguf_adapter(adapter, base.config, file, base_gguf_sha256=file_sha256(base.file))
    return file


def export_adapter(folder: Path, file: Path, rule: Mapping[str, object]) -> None:
    """Write an adapter folder as a GGUF file that names its base and carries its rule.

    Args:
        folder: An adapter as peft writes it; its base must be on this machine.
        file: The file to write.
        rule: Name and settings of the rule that it carries; empty for none.

    Raises:
        AdapterError: If the adapter is corrupt, does not fit its base, or the base is not here.
        UnknownArchitecture: If the base's architecture is not one that can be converted.
        SettingsError: If ``file`` exists.
        OSError: If the file cannot be written.
    """
    if file.exists():
        raise SettingsError(f"{file} exists: name another file, or remove it.")
    adapter = read_adapter(folder)
    base = resolve_base(adapter)
    check_fits(adapter, read_outline(name_of_base(adapter), base), name_of_base(adapter))
    write_gguf_adapter(adapter, read_config(base), file, base_gguf_sha256=_converted_from(base), rule=rule)


def _converted_from(folder: Path) -> str | None:
    """SHA-256 of the GGUF file that a model folder was converted from; None if it was not."""
    source = folder / "source.json"
    recorded = read_json(source).get("gguf_sha256") if source.is_file() else None
    return None if recorded is None else str(recorded)


def suits_llama_cpp(target: str, security: str) -> bool:
    """Whether target and security model are GGUF models, or adapters on them; reads no weights.

    Raises:
        ModelError: If a GGUF file is damaged, or the security model does not exist.
    """
    if gguf_file(target) is None:
        return False
    if security == NO_SECURITY or gguf_file(security) is not None:
        return True
    folder = resolve_security(target, security)
    if folder is None or not is_adapter(folder) or is_prefix(folder):
        return False
    name, sha256 = recorded_base(folder)
    return name is None or gguf_file(loadable_name(name, sha256)) is not None
