"""Load models: from a name to a model in memory, and from two names to the pair that co-decodes.

A name is an embedded model, a local folder, a GGUF file or a hub id. A folder may hold a LoRA adapter, which is loaded
merged into its base, or a prefix, which is loaded with its base. Only safetensors and GGUF weights are read, and no
code of a checkpoint is run.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.errors import AdapterError, ModelNotFound, UnsafeCheckpoint
from cosec.files import from_home
from cosec.models.adapters import Adapter, check_fits, is_adapter, merge_adapter, read_adapter
from cosec.models.attention_window import require_full_attention
from cosec.models.families import Family, family_of
from cosec.models.identity import file_sha256, model_fingerprint
from cosec.models.loading.bundled import bundled_folder, shipped_adapter
from cosec.models.loading.checks import PICKLE_SUFFIXES, check_checkpoint, pickle_refusal, read_config
from cosec.models.loading.embedded import BUNDLED_MODELS
from cosec.models.loading.hub import HUB_NAME, download
from cosec.models.loading.memory_check import require_memory
from cosec.models.loading.reading import context_length, read_architecture, read_tokenizer, read_weights, stop_token_ids
from cosec.models.loading.store import cache_root, writing_to_the_cache
from cosec.models.prefixes import Prefix, is_prefix, prefix_layers, read_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

NO_SECURITY = "none"
"""Name of the security model for a target that decodes alone."""

DEFAULT_SECURITY = "default"
"""Name of the adapter that ships for an embedded target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that is ready to predict."""

    name: str
    """The name by which the user asked for it."""

    path: Path
    """The folder of its weights; for a merged adapter or a prefix, that of the base."""

    model: PreTrainedModel
    """The weights, in evaluation mode and without gradients."""

    tokenizer: PreTrainedTokenizerFast
    family: Family | None
    """None if the family is not known."""

    stop_token_ids: frozenset[int]
    """Ids of the tokens that end a completion."""

    context_length: int
    """Largest number of tokens in a prompt and its completion."""

    prefix: Prefix | None = None
    """A trained prefix that every sequence begins with; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPair:
    """A target and its security model: another model, an adapter on the target's own weights, or none."""

    target: LoadedModel
    security: LoadedModel | None
    """A whole model, or the base of an adapter that was made for another model than the target. None if the security
    model is an adapter of the target, or there is none.
    """

    adapter: Adapter | None
    """An adapter on ``security``, or on the target if that is None; None if the security model is a whole model."""

    anti_expert: Adapter | None = None
    """An adapter on the same base that was trained on vulnerable code; None without one."""


def resolve_model(name: str) -> Path:
    """Find the folder of a model; download or convert it if necessary.

    Args:
        name: An embedded model's name, a local folder, a ``.gguf`` file or a hub id (``organisation/model``,
            optionally ``@revision``).

    Returns:
        A folder with ``config.json``, safetensors weights and a tokenizer, or the folder of an adapter.

    Raises:
        ModelNotFound: If there is no such model; the message says how to get it.
        ModelError: If it is incomplete or corrupt.
        UnsafeCheckpoint: If loading it would run code of its author.
    """
    folder = _find(name)
    if not is_adapter(folder):
        check_checkpoint(folder)
    return folder


def load_model(name: str, *, dtype: str = "auto", device_map: str | None = None) -> LoadedModel:
    """Load a model for inference.

    Args:
        name: As for ``resolve_model``; an adapter is loaded merged into its base.
        dtype: ``"auto"`` (float32 on CPU, else the checkpoint's own), ``"float32"``, ``"bfloat16"`` or ``"float16"``.
        device_map: ``"cpu"``, ``"cuda"``, ``"auto"`` or any other device map of transformers; None is the CPU.

    Raises:
        ModelError: If the model cannot be found, read or trusted.
        SettingsError: If ``dtype`` is unknown.
    """
    return _load(name, resolve_model(name), dtype, device_map)


def load_pair(
    target: str,
    security: str = DEFAULT_SECURITY,
    *,
    anti_expert: str | None = None,
    dtype: str = "auto",
    device_map: str | None = None,
) -> ModelPair:
    """Load a target and its security model; an adapter of the target shares the target's weights.

    Args:
        target: The model to harden, as for ``load_model``.
        security: An adapter or a model, ``"default"`` (the adapter that ships for an embedded target) or ``"none"``.
        anti_expert: An adapter of the same base as the security adapter, trained on vulnerable code; None for none.
        dtype: As for ``load_model``, for both.
        device_map: As for ``load_model``, for both.

    Raises:
        ModelError: If one of them cannot be found, read or trusted, or they do not fit into the free memory.
        UnknownArchitecture: If one of them attends to a window of tokens only.
        AdapterError: If an adapter is corrupt, or its base is not available, or an anti-expert has another base.
    """
    # Everything that can fail quickly fails before weights are loaded.
    target_folder = resolve_model(target)
    security_folder = resolve_security(target, security)
    _require_full_attention(target, target_folder)
    if security_folder is not None and is_adapter(security_folder) and not is_prefix(security_folder):
        adapter = read_adapter(security_folder)
        opposed = None if anti_expert is None else read_adapter(resolve_model(anti_expert))
        if belongs_to(adapter, target, target_folder):
            require_memory({target: target_folder}, dtype=dtype, device_map=device_map)
            loaded = _load(target, target_folder, dtype, device_map)
            check_fits(adapter, loaded.model, target)
            _check_same_base(opposed, loaded)
            return ModelPair(target=loaded, security=None, adapter=adapter, anti_expert=opposed)
        try:
            base_folder = resolve_base(adapter)
        except AdapterError as error:
            raise AdapterError(f"{error} The target is {target!r}.") from error
        base_name = name_of_base(adapter)
        _require_full_attention(base_name, base_folder)
        require_memory({target: target_folder, base_name: base_folder}, dtype=dtype, device_map=device_map)
        loaded = _load(target, target_folder, dtype, device_map)
        base = _load(base_name, base_folder, dtype, device_map)
        check_fits(adapter, base.model, base.name)
        _check_same_base(opposed, base)
        return ModelPair(target=loaded, security=base, adapter=adapter, anti_expert=opposed)
    if anti_expert is not None:
        raise AdapterError("An anti-expert works beside a security adapter, and --security names none.")
    return _load_whole_pair((target, target_folder), (security, security_folder), dtype, device_map)


def _load_whole_pair(
    target: tuple[str, Path], security: tuple[str, Path | None], dtype: str, device_map: str | None
) -> ModelPair:
    """Load a target and a security model that is no LoRA adapter; a prefix of the target shares its weights.

    Args:
        target: Name and folder.
        security: Name and folder; None without one.
        dtype: As for ``load_pair``.
        device_map: As for ``load_pair``.
    """
    name, folder = security
    prefix = read_prefix(folder) if folder is not None and is_prefix(folder) else None
    own = prefix is not None and belongs_to(prefix, *target)
    folders = dict([target])
    if prefix is not None and not own:
        folders[name_of_base(prefix)] = resolve_base(prefix)
    elif folder is not None and not own:
        folders[name] = folder
    for one, place in folders.items():
        _require_full_attention(one, place)
    require_memory(folders, dtype=dtype, device_map=device_map)
    loaded = _load(*target, dtype, device_map)
    if prefix is not None and own:
        other: LoadedModel | None = _with_prefix(name, prefix, loaded)
    else:
        other = None if folder is None else _load(name, folder, dtype, device_map)
    return ModelPair(target=loaded, security=other, adapter=None)


def _check_same_base(anti_expert: Adapter | None, base: LoadedModel) -> None:
    if anti_expert is None:
        return
    if not belongs_to(anti_expert, base.name, base.path):
        raise AdapterError(
            f"The anti-expert {anti_expert.path} was made for {anti_expert.base_name or 'another base'}, and the "
            f"security adapter for {base.name}; train both on one base."
        )
    check_fits(anti_expert, base.model, base.name)


def _require_full_attention(name: str, folder: Path) -> None:
    """Refuse a model that cannot be co-decoded; the base of a merged adapter is checked when decoding starts."""
    if not is_adapter(folder):
        require_full_attention(read_architecture(name, folder), repr(name))


def belongs_to(adapter: Adapter | Prefix, name: str, folder: Path) -> bool:
    """Tell whether an adapter was made for the model ``name`` in ``folder``.

    The fingerprint of the base decides, if the adapter records one. Otherwise the names of the base and of the model,
    or the folders that they stand for, must agree.
    """
    return is_recorded_base((adapter.base_name, adapter.base_sha256), name, folder)


def is_recorded_base(base: tuple[str | None, str | None], name: str, folder: Path) -> bool:
    """Tell whether the model ``name`` in ``folder`` is the base that an adapter records: its name and fingerprint."""
    base_name, base_sha256 = base
    if is_adapter(folder):
        return False
    if base_sha256 is not None:
        return base_sha256 == model_fingerprint(folder)
    if base_name is None:
        return True
    bundled = BUNDLED_MODELS.get(name)
    if base_name in {name, *([bundled.hub_id] if bundled else [])}:
        return True
    base_folder = from_home(base_name)
    return base_folder.exists() and base_folder.resolve() in {folder.resolve(), from_home(name).resolve()}


def _find(name: str) -> Path:
    if name in BUNDLED_MODELS:
        return bundled_folder(name)
    path = local_path(name)
    if path is not None:
        return path if path.is_dir() else _converted(path)
    if HUB_NAME.fullmatch(name) and not name.endswith(".gguf"):
        return download(name)
    near = difflib.get_close_matches(name, BUNDLED_MODELS, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ModelNotFound(
        f"There is no model {name!r}: no such folder or file, and neither an embedded name "
        f"({', '.join(BUNDLED_MODELS)}) nor a hub id (organisation/model).{hint}"
    )


def local_path(name: str) -> Path | None:
    """The folder or file that a name stands for; None for an embedded model, which goes first, and for a hub id."""
    path = from_home(name)
    # An empty name would be the current folder.
    return path if name and name not in BUNDLED_MODELS and path.exists() else None


def _converted(file: Path) -> Path:
    """Return the folder of a converted GGUF file; convert the file if necessary."""
    if file.suffix in PICKLE_SUFFIXES:
        raise UnsafeCheckpoint(pickle_refusal(f"{file} is a pickled checkpoint"))
    if file.suffix == ".safetensors":
        raise ModelNotFound(f"{file} has weights only; name its folder, which also has config.json and a tokenizer.")
    if file.suffix != ".gguf":
        raise ModelNotFound(f"{file} is neither a model folder nor a .gguf file.")
    sha256 = file_sha256(file)
    folder = converted_folder(sha256)
    if not folder.is_dir():
        from cosec.models.loading.gguf import convert_gguf

        with writing_to_the_cache():
            convert_gguf(file, folder, source={"gguf": file.name, "gguf_sha256": sha256})
    return folder


def converted_folder(gguf_sha256: str) -> Path:
    """Path of the conversion of a GGUF file with this SHA-256, whether or not it exists yet."""
    return cache_root() / "gguf" / gguf_sha256[:32]


def resolve_security(target: str, security: str) -> Path | None:
    """Find the folder of a security model or adapter.

    Args:
        target: The model to harden.
        security: ``"none"``, ``"default"`` or a name as for ``resolve_model``.

    Returns:
        The folder, or None if the target decodes alone.

    Raises:
        ModelError: If there is no such model, or no adapter ships for this target.
    """
    if security == NO_SECURITY:
        return None
    if security != DEFAULT_SECURITY:
        return resolve_model(security)
    shipped = shipped_adapter(target)
    if shipped is None:
        raise ModelNotFound(
            f"No security model ships for {target!r}; name one with --security, or use --security none for the target "
            "alone. `cosec models list` shows what ships."
        )
    return shipped


def name_of_base(adapter: Adapter | Prefix) -> str:
    """The name by which an adapter's base can be loaded.

    Raises:
        AdapterError: If the adapter names no base.
    """
    if adapter.base_name is None:
        raise AdapterError(f"The adapter {adapter.path} does not say which base model it belongs to.")
    return loadable_name(adapter.base_name, adapter.base_sha256)


def loadable_name(base_name: str, base_sha256: str | None) -> str:
    """The name by which a base can be loaded, from what an adapter records about it."""
    by_hub_id = {bundled.hub_id: name for name, bundled in BUNDLED_MODELS.items()}
    # The embedded model is a quantised copy: it replaces the original only if the adapter records no hash.
    return by_hub_id.get(base_name, base_name) if base_sha256 is None else base_name


def resolve_base(adapter: Adapter | Prefix) -> Path:
    """Find the folder of the base model that an adapter was made for.

    Raises:
        AdapterError: If the base is not available, or its weights differ from those that the adapter records.
    """
    base_name = name_of_base(adapter)
    try:
        folder = resolve_model(base_name)
    except ModelNotFound as error:
        raise AdapterError(
            f"The adapter {adapter.path} belongs to the base model {base_name!r}, which is not available: {error}"
        ) from error
    if is_adapter(folder):
        raise AdapterError(f"The adapter {adapter.path} belongs to {base_name!r}, which is an adapter itself.")
    if adapter.base_sha256 is not None and adapter.base_sha256 != model_fingerprint(folder):
        raise AdapterError(
            f"The adapter {adapter.path} was made for other weights than those now called {base_name!r} "
            f"(it records sha256 {adapter.base_sha256[:12]}...); train it again, or name the base it was made for."
        )
    return folder


def _load(name: str, folder: Path, dtype: str, device_map: str | None) -> LoadedModel:
    """Load a folder that ``resolve_model`` returned; an adapter is merged into its base, a prefix comes with it."""
    adapter: Adapter | Prefix | None = None
    if is_adapter(folder):
        adapter = read_prefix(folder) if is_prefix(folder) else read_adapter(folder)
    base_folder = folder if adapter is None else resolve_base(adapter)
    config = read_config(base_folder)
    length = context_length(name, config)
    tokenizer = read_tokenizer(name, base_folder)
    model = read_weights(name, base_folder, dtype=dtype, device_map=device_map)
    if isinstance(adapter, Adapter):
        merge_adapter(model, adapter, name_of_base(adapter))
    family = family_of(config["model_type"], tokenizer.get_vocab())
    loaded = LoadedModel(
        name=name,
        path=base_folder,
        model=model,
        tokenizer=tokenizer,
        family=family,
        stop_token_ids=stop_token_ids(base_folder, config, tokenizer, family),
        context_length=length,
    )
    return _with_prefix(name, adapter, loaded) if isinstance(adapter, Prefix) else loaded


def _with_prefix(name: str, prefix: Prefix, base: LoadedModel) -> LoadedModel:
    """A model on the weights of its base, whose sequences begin with the prefix.

    Raises:
        AdapterError: If the prefix does not fit the base.
    """
    prefix_layers(prefix, base.model, base.name)
    return replace(base, name=name, prefix=prefix, context_length=base.context_length - prefix.tokens)
