"""Examine whether two models fit together, what they cost, and whether the decoding law holds on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.decoding.examined import Examined
from cosec.errors import CosecError, ModelError, VocabularyMismatch

if TYPE_CHECKING:
    from cosec.decoding.blackbox.targets.openai_server import ServerAddress
    from cosec.decoding.runtime_choice import RuntimeName
    from cosec.models.adapters import Adapter
    from cosec.models.description import ModelDescription
    from cosec.models.loading.quantised import GgufModel, GgufPair

_MIB = 1 << 20

_HARDENED_AS_TEXT = "With this one CoSec hardens the target as text"


def examine(target: str, security: str, dtype: str, runtime: RuntimeName = "auto") -> list[Examined]:
    """Examine a target and its security model as far as that is possible without loading weights.

    Args:
        target: The model to harden.
        security: Its security model or adapter, as for ``load_pair``.
        dtype: The type that the weights would be loaded in.
        runtime: What would run the models, as for ``load_pair``.

    Returns:
        One entry for each examination; problems that the user can solve are entries too.
    """
    from cosec.decoding.runtime_choice import choose_runtime

    try:
        chosen = choose_runtime(target, security, runtime=runtime, dtype=dtype)
    except ModelError as error:  # of the target, only the name was looked at
        return [Examined(subject="security", good=False, text=str(error)), _examine_law()]
    except CosecError as error:
        return [Examined(subject="runtime", good=False, text=str(error)), _examine_law()]
    in_llama_cpp = chosen.name == "llama.cpp"
    try:
        examined = _examine_gguf(target, security) if in_llama_cpp else _examine_weights(target, security, dtype)
    except VocabularyMismatch as error:
        examined = _examine_as_text(error, security)
    if in_llama_cpp or chosen.measured:
        examined.insert(0, Examined(subject="choice", good=True, text=f"{chosen.name}: {chosen.reason}"))
    return [*examined, _examine_law()]


def examine_server(address: ServerAddress, security: str) -> list[Examined]:
    """Examine a target at a server, as `cosec.decoding.blackbox.examination` does, and the law on this machine."""
    from cosec.decoding.blackbox.examination import examine_text_target

    return [*examine_text_target(address, security), _examine_law()]


def _examine_as_text(reason: VocabularyMismatch, security: str) -> list[Examined]:
    """Examine a target that is hardened as text, because its tokens differ from those of the security model."""
    from cosec.decoding.blackbox.examination import examine_text_rules
    from cosec.decoding.blackbox.loading import security_adapter

    try:
        folder = security_adapter(security)
    except CosecError:
        return [Examined(subject="vocabulary", good=False, text=str(reason))]
    return [
        Examined(subject="security", good=True, text=f"the adapter {folder}"),
        Examined(subject="vocabulary", good=True, text=f"{reason} {_HARDENED_AS_TEXT}"),
        *examine_text_rules(folder, in_process=True),
    ]


def _examine_weights(target: str, security: str, dtype: str) -> list[Examined]:
    """Examine what torch would run."""
    from cosec.models.description import describe_model

    examined = []
    try:
        ours = describe_model(target)
        examined.append(Examined(subject="target", good=True, text=_one_line(ours)))
        try:
            examined += _examine_security(ours, security, dtype)
        except CosecError as error:
            examined.append(Examined(subject="security", good=False, text=str(error)))
    except CosecError as error:
        examined.append(Examined(subject="target", good=False, text=str(error)))
    return examined


def _examine_gguf(target: str, security: str) -> list[Examined]:
    """Examine what llama.cpp would run, on a few tokens: opening a file takes a second or two."""
    import importlib.metadata

    from cosec.decoding.pairing import PreparedPair
    from cosec.models.loading.quantised import load_gguf_pair
    from cosec.runtime import check_llama_cpp

    try:
        pair = load_gguf_pair(target, security)
        examined = [_seen("target", pair.target)]
        if pair.security is not None:
            examined.append(_seen("security", pair.security))
        prepared = PreparedPair(pair)
        check_llama_cpp(prepared.target_model(), prepared.tokenizer("def read(path):").input_ids)
    except VocabularyMismatch:
        raise
    except CosecError as error:
        return [Examined(subject="runtime", good=False, text=str(error))]
    version = importlib.metadata.version("llama-cpp-python")
    text = f"llama.cpp (llama-cpp-python {version}) scores a prompt alike, read at once, in pieces and after a rollback"
    if pair.adapter is not None:
        told = f"{pair.adapter.path} fits {(pair.security or pair.target).name}"
        examined += [Examined(subject="adapter", good=True, text=told), _rule(prepared.own_rule)]
    elif pair.target_is_base:
        examined.append(_rule(prepared.own_rule))
    memory = _gguf_memory(pair, prepared.cache_bytes_per_token)
    return [Examined(subject="runtime", good=True, text=text), *examined, memory]


def _seen(subject: str, model: GgufModel) -> Examined:
    family = model.family.name if model.family is not None else f"no known family, {model.config['model_type']}"
    return Examined(subject=subject, good=True, text=f"{model.name} ({family}; context {model.context_length})")


def _gguf_memory(pair: GgufPair, per_token: int | None) -> Examined:
    files = {one.file: one.file.stat().st_size for one in (pair.target, pair.security) if one is not None}
    text = f"weights {sum(files.values()) / _MIB:.0f} MiB, mapped from the files{_of_caches(per_token)}"
    return Examined(subject="memory", good=True, text=text)


def _examine_security(ours: ModelDescription, security: str, dtype: str) -> list[Examined]:
    from cosec.models.adapters import is_adapter, read_adapter
    from cosec.models.description import describe_model
    from cosec.models.loading.bundled import shipped_adapter
    from cosec.models.loading.load import belongs_to, resolve_base, resolve_security
    from cosec.models.prefixes import is_prefix

    folder = resolve_security(ours.name, security)
    if folder is None:
        alone = Examined(subject="security", good=True, text="none: the target decodes alone, nothing is hardened")
        return [alone, _memory(dtype, [ours])]
    if not is_adapter(folder):
        theirs = describe_model(security)
        seen = Examined(subject="security", good=True, text=_one_line(theirs))
        vocabulary = _examine_vocabulary(ours, theirs)
        shipped = None if vocabulary.good else shipped_adapter(security)
        if shipped is not None:
            return _examine_security(ours, str(shipped), dtype)
        rules = [_rules(has_base=False)] if vocabulary.good else []
        return [seen, *rules, vocabulary, _memory(dtype, [ours, theirs])]
    if is_prefix(folder):
        return _examine_prefix(ours, folder, dtype)
    adapter = read_adapter(folder)
    if belongs_to(adapter, ours.name, ours.path):
        vocabulary = Examined(subject="vocabulary", good=True, text=f"{ours.vocabulary} tokens, the target's own")
        rule = _examine_rule(folder, shared_weights=True)
        fits = [_examine_fit(adapter, ours), _rules(has_base=True), rule, vocabulary]
        return [*fits, _memory(dtype, [ours], adapter)]
    theirs = describe_model(str(resolve_base(adapter)))
    text = f"adapter of another base, to be merged into {adapter.base_name}: {_one_line(theirs)}"
    seen = Examined(subject="security", good=True, text=text)
    vocabulary, memory = _examine_vocabulary(ours, theirs), _memory(dtype, [ours, theirs])
    if not vocabulary.good:
        from cosec.decoding.blackbox.examination import examine_text_rules

        told = f"{vocabulary.text} {_HARDENED_AS_TEXT}"
        differ = Examined(subject="vocabulary", good=True, text=told)
        return [seen, _examine_fit(adapter, theirs), differ, *examine_text_rules(folder, in_process=True), memory]
    return [seen, _examine_fit(adapter, theirs), _rules(has_base=True), _examine_rule(folder), vocabulary, memory]


def _rules(*, has_base: bool) -> Examined:
    """The rules that a pair of one vocabulary allows, and why."""
    from cosec.decoding.rules.schema import RULES

    allowed = ", ".join(name for name, kind in RULES.items() if has_base or not kind.needs_base)
    why = "the adapter can be compared with its base" if has_base else "steer and gate compare an adapter with its base"
    return Examined(subject="rules", good=True, text=f"{allowed}: {why}")


def _examine_prefix(ours: ModelDescription, folder: Path, dtype: str) -> list[Examined]:
    """A prefix of the target, or of another model that is loaded beside it."""
    from cosec.models.description import describe_model
    from cosec.models.loading.load import belongs_to, resolve_base
    from cosec.models.prefixes import read_prefix

    prefix = read_prefix(folder)
    own = belongs_to(prefix, ours.name, ours.path)
    base = ours if own else describe_model(str(resolve_base(prefix)))
    good = base.cache_values_per_token == prefix.embeddings.shape[1]
    fits = "fits" if good else "does not fit"
    text = f"{folder}, a prefix of {prefix.tokens} virtual tokens, {fits} the keys and values of {base.name}"
    seen = Examined(subject="security", good=good, text=text)
    if own:
        return [seen, _memory(dtype, [ours], rows=2)]
    return [seen, _examine_vocabulary(ours, base), _memory(dtype, [ours, base])]


def _examine_fit(adapter: Adapter, base: ModelDescription) -> Examined:
    from cosec.models.adapters import check_fits
    from cosec.models.loading.reading import read_outline

    try:
        check_fits(adapter, read_outline(base.name, base.path), base.name)
    except CosecError as error:
        return Examined(subject="adapter", good=False, text=str(error))
    recorded = "its recorded base" if adapter.base_sha256 else "its base by name (no fingerprint is recorded)"
    text = f"{adapter.path} changes {len(adapter.scales)} linear maps and fits {base.name}, {recorded}"
    return Examined(subject="adapter", good=True, text=text)


def _examine_rule(folder: Path, *, shared_weights: bool = False) -> Examined:
    """The rule that applies unless the user names another."""
    from cosec.decoding.rules.rule_file import own_rule, rule_on

    try:
        return _rule(rule_on(own_rule(folder), shared_weights=shared_weights))
    except CosecError as error:
        return Examined(subject="rule", good=False, text=str(error))


def _rule(carried: Mapping[str, object]) -> Examined:
    from cosec.decoding.rules.choice import described_rule
    from cosec.decoding.settings import decoding_settings

    whose = "the adapter's own" if carried else "the paper's, as the adapter carries none"
    return Examined(subject="rule", good=True, text=f"{described_rule(decoding_settings(carried, {}).rule)}: {whose}")


def _examine_vocabulary(ours: ModelDescription, theirs: ModelDescription) -> Examined:
    from cosec.models.loading.reading import read_tokenizer
    from cosec.models.vocabulary import Vocabulary, compare

    models = [
        Vocabulary(
            name=model.name,
            folder=model.path,
            tokenizer=read_tokenizer(model.name, model.path),
            head_width=model.head_width,
        )
        for model in (ours, theirs)
    ]
    try:
        shared = compare(*models)
    except CosecError as error:
        return Examined(subject="vocabulary", good=False, text=str(error))
    widths = f"heads are {ours.head_width} and {theirs.head_width} wide"
    return Examined(subject="vocabulary", good=True, text=f"{shared.size} tokens agree one by one ({widths})")


def _memory(
    dtype: str, models: Sequence[ModelDescription], adapter: Adapter | None = None, *, rows: int = 1
) -> Examined:
    """Memory of weights and caches.

    Args:
        dtype: Of the weights.
        models: The models that are loaded.
        adapter: An adapter on the one model; a completion then takes two rows of its cache.
        rows: Rows that a completion takes in each model's cache without an adapter.
    """
    weights = sum(model.weight_bytes(dtype) for model in models)
    text = f"weights {weights / _MIB:.0f} MiB"
    if adapter is not None:
        rows = 2
        held = sum(tensor.numel() * tensor.element_size() for tensor in adapter.weights.values())
        text += f", held once, and {held / _MIB:.1f} MiB for the adapter"
    needs = [model.cache_bytes_per_token(dtype) for model in models]
    known = [need for need in needs if need is not None]
    if len(known) == len(needs):
        text += _of_caches(rows * sum(known))
    return Examined(subject="memory", good=True, text=text)


def _of_caches(per_token: int | None) -> str:
    """What the key-value caches take, as the end of a sentence; empty if it is not known."""
    if per_token is None:
        return ""
    example = 25 * 1000 * per_token
    return (
        f"; key-value caches {per_token / 1024:.0f} KiB per token of each completion"
        f" (25 completions of 1000 tokens: {example / _MIB:.0f} MiB)"
    )


def _examine_law() -> Examined:
    from cosec.decoding.selftest import law_selftest

    outcome = law_selftest()
    return Examined(subject="law", good=outcome.passed, text=outcome.summary)


def _one_line(model: ModelDescription) -> str:
    family = model.family.name if model.family is not None else f"no known family, architecture {model.model_type}"
    return f"{model.name} ({family}; {model.parameters / 1e6:.1f} M weights; context {model.context_length})"
