"""Examine whether two models fit together, what they cost, and whether the decoding law holds on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.errors import CosecError

if TYPE_CHECKING:
    from cosec.models.adapters import Adapter
    from cosec.models.description import ModelDescription

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What one examination found."""

    subject: str
    """What was examined: target, security, adapter, rule, vocabulary, memory or law."""

    good: bool
    """False if the pair cannot be used as it is."""

    text: str
    """What was found, in one line."""


def examine(target: str, security: str, dtype: str) -> list[Examined]:
    """Examine a target and its security model as far as that is possible without loading weights.

    Args:
        target: The model to harden.
        security: Its security model or adapter, as for ``load_pair``.
        dtype: The type that the weights would be loaded in.

    Returns:
        One entry for each examination; problems that the user can solve are entries too.
    """
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
    examined.append(_examine_law())
    return examined


def _examine_security(ours: ModelDescription, security: str, dtype: str) -> list[Examined]:
    from cosec.models.adapters import is_adapter, read_adapter
    from cosec.models.description import describe_model
    from cosec.models.loading.load import belongs_to, resolve_base, resolve_security

    folder = resolve_security(ours.name, security)
    if folder is None:
        alone = Examined(subject="security", good=True, text="none: the target decodes alone, nothing is hardened")
        return [alone, _memory(dtype, [ours])]
    if not is_adapter(folder):
        theirs = describe_model(security)
        seen = Examined(subject="security", good=True, text=_one_line(theirs))
        return [seen, _examine_vocabulary(ours, theirs), _memory(dtype, [ours, theirs])]
    adapter = read_adapter(folder)
    if belongs_to(adapter, ours.name, ours.path):
        vocabulary = Examined(subject="vocabulary", good=True, text=f"{ours.vocabulary} tokens, the target's own")
        return [_examine_fit(adapter, ours), _examine_rule(folder), vocabulary, _memory(dtype, [ours], adapter)]
    theirs = describe_model(str(resolve_base(adapter)))
    text = f"adapter of another base, to be merged into {adapter.base_name}: {_one_line(theirs)}"
    seen = Examined(subject="security", good=True, text=text)
    fits = [_examine_fit(adapter, theirs), _examine_rule(folder), _examine_vocabulary(ours, theirs)]
    return [seen, *fits, _memory(dtype, [ours, theirs])]


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


def _examine_rule(folder: Path) -> Examined:
    """The rule that applies unless the user names another."""
    from cosec.decoding.rules.choice import described_rule
    from cosec.decoding.rules.rule_file import own_rule
    from cosec.decoding.settings import decoding_settings

    try:
        carried = own_rule(folder)
    except CosecError as error:
        return Examined(subject="rule", good=False, text=str(error))
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


def _memory(dtype: str, models: Sequence[ModelDescription], adapter: Adapter | None = None) -> Examined:
    """Memory of weights and caches; with an adapter, a completion takes two rows of the one model's cache."""
    weights = sum(model.weight_bytes(dtype) for model in models)
    text = f"weights {weights / _MIB:.0f} MiB"
    rows = 1
    if adapter is not None:
        rows = 2
        held = sum(tensor.numel() * tensor.element_size() for tensor in adapter.weights.values())
        text += f", held once, and {held / _MIB:.1f} MiB for the adapter"
    needs = [model.cache_bytes_per_token(dtype) for model in models]
    known = [need for need in needs if need is not None]
    if len(known) == len(needs):
        per_token = rows * sum(known)
        example = 25 * 1000 * per_token
        text += f"; key-value caches {per_token / 1024:.0f} KiB per token of each completion"
        text += f" (25 completions of 1000 tokens: {example / _MIB:.0f} MiB)"
    return Examined(subject="memory", good=True, text=text)


def _examine_law() -> Examined:
    from cosec.decoding.selftest import law_selftest

    outcome = law_selftest()
    return Examined(subject="law", good=outcome.passed, text=outcome.summary)


def _one_line(model: ModelDescription) -> str:
    family = model.family.name if model.family is not None else f"no known family, architecture {model.model_type}"
    return f"{model.name} ({family}; {model.parameters / 1e6:.1f} M weights; context {model.context_length})"
