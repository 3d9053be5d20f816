"""The models that vLLM loads: a target, and a security model that drafts for it, both as folders of whole models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cosec.decoding.rules.rule_file import own_rule, rule_on
from cosec.decoding.rules.schema import RuleSettings, changed_rule
from cosec.decoding.settings import decoding_settings
from cosec.errors import AdapterError, SettingsError
from cosec.models.adapters import is_adapter, read_adapter
from cosec.models.loading.checks import read_config
from cosec.models.loading.load import resolve_base, resolve_model, resolve_security
from cosec.models.loading.reading import read_tokenizer
from cosec.models.vocabulary import Vocabulary, compare
from cosec.models.whole_models import whole_model


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFolders:
    """A security model, with as many logits as its target, and its rule."""

    security: Path
    """A whole model."""

    base: Path | None
    """The base of the security adapter. None if the rule does not compare with it, unless it is the target itself."""

    vocabulary: int
    """Number of tokens; logits from this one on belong to no token."""

    rule: RuleSettings
    """The rule for requests that name none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmModels:
    """Folders of whole models, as vLLM loads them."""

    target: Path
    """The model to harden."""

    drafter: SecurityFolders | None
    """None for the target alone."""


def prepare_models(target: str, security: str, rule: Mapping[str, object]) -> VllmModels:
    """Find the models, check that their tokens mean the same, and write what vLLM cannot load itself.

    A security adapter is merged into its base. A security model with fewer logits than the target gets more, and one
    with more loses those that belong to no token. What is written lies in the cache.

    Args:
        target: As for ``resolve_model``.
        security: As for ``resolve_security``.
        rule: Name and settings that the user gave; they change the adapter's own rule, else the paper's.

    Raises:
        ModelError: If one of them cannot be found, read or trusted.
        VocabularyMismatch: If their tokens differ.
        AdapterError: If the rule needs a base and the security model is no adapter.
        SettingsError: If the settings do not fit the rule.
    """
    target_folder = whole_model(target, resolve_model(target))
    folder = resolve_security(target, security)
    if folder is None:
        if rule:
            raise SettingsError("A rule has no effect without a security model; name one with --security.")
        return VllmModels(target=target_folder, drafter=None)
    adapter = is_adapter(folder)
    base = resolve_base(read_adapter(folder)) if adapter else folder
    own = rule_on(own_rule(folder), shared_weights=base == target_folder) if adapter else {}
    chosen = decoding_settings(changed_rule(own, rule), {}).rule
    if chosen.contrast == "anti-expert":
        raise SettingsError("vLLM runs no anti-expert: steer against the base, or leave out --engine vllm.")
    if chosen.needs_base and not adapter:
        raise AdapterError(
            f"The rule {chosen.name} compares a security adapter with its base, and {security!r} is no adapter: name "
            "one with --security, or choose --rule threshold."
        )
    # The target's own scores cost nothing, so requests may then name any rule.
    has_base = chosen.needs_base or (adapter and base == target_folder)
    ours, theirs = _vocabulary(target, target_folder), _vocabulary(security, base)
    shared = compare(ours, theirs)
    drafter = SecurityFolders(
        security=whole_model(security, folder, head_width=ours.head_width),
        base=whole_model(str(base), base, head_width=ours.head_width) if has_base else None,
        vocabulary=shared.size,
        rule=chosen,
    )
    return VllmModels(target=target_folder, drafter=drafter)


def _vocabulary(name: str, folder: Path) -> Vocabulary:
    width = int(read_config(folder)["vocab_size"])
    return Vocabulary(name=name, folder=folder, tokenizer=read_tokenizer(name, folder), head_width=width)
