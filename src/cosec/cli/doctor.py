"""``cosec doctor``: may these two models be paired, what will it cost, and does the law hold on this machine?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cosec.errors import CosecError

if TYPE_CHECKING:
    from cosec.models.adapters import Adapter
    from cosec.models.description import ModelDescription

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination."""

    subject: str
    good: bool
    text: str


def doctor(
    target: str, security: str = "default", /, *, dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
) -> None:
    """Check that a target and a security model fit together; exit code 1 where they do not.

    Looks at families, vocabularies, the adapter and the memory need without loading weights, then runs the co-decoding
    law's self-test.

    Args:
        target: The model to harden.
        security: Its security model or adapter.
        dtype: The type the weights would be loaded in; auto is float32, as on a CPU.
    """
    findings = examine(target, security, dtype)
    for finding in findings:
        mark = "ok  " if finding.good else "FAIL"
        print(f"{mark} {finding.subject:<12}{finding.text}", flush=True)  # noqa: T201 - plain lines
    if not all(finding.good for finding in findings):
        sys.exit(1)


def examine(target: str, security: str, dtype: str) -> list[Finding]:
    """Make every examination that the pair allows; what the user can mend becomes a finding."""
    from cosec.models.description import describe_model

    findings = []
    try:
        ours = describe_model(target)
        findings.append(Finding(subject="target", good=True, text=_one_line(ours)))
        try:
            findings += _examine_security(ours, security, dtype)
        except CosecError as error:
            findings.append(Finding(subject="security", good=False, text=str(error)))
    except CosecError as error:
        findings.append(Finding(subject="target", good=False, text=str(error)))
    findings.append(_examine_law())
    return findings


def _examine_security(ours: ModelDescription, security: str, dtype: str) -> list[Finding]:
    from cosec.models.adapters import is_adapter, read_adapter
    from cosec.models.description import describe_model
    from cosec.models.loading.load import belongs_to, resolve_base, resolve_security

    folder = resolve_security(ours.name, security)
    if folder is None:
        alone = Finding(subject="security", good=True, text="none: the target decodes alone, nothing is hardened")
        return [alone, _memory(dtype, [ours])]
    if not is_adapter(folder):
        theirs = describe_model(security)
        seen = Finding(subject="security", good=True, text=_one_line(theirs))
        return [seen, _examine_vocabulary(ours, theirs), _memory(dtype, [ours, theirs])]
    adapter = read_adapter(folder)
    if belongs_to(adapter, ours.name, ours.path):
        vocabulary = Finding(subject="vocabulary", good=True, text=f"{ours.vocabulary} tokens, the target's own")
        return [_examine_fit(adapter, ours), _examine_rule(folder), vocabulary, _memory(dtype, [ours], adapter)]
    theirs = describe_model(str(resolve_base(adapter)))
    text = f"adapter of another base, to be merged into {adapter.base_name}: {_one_line(theirs)}"
    seen = Finding(subject="security", good=True, text=text)
    fits = [_examine_fit(adapter, theirs), _examine_rule(folder), _examine_vocabulary(ours, theirs)]
    return [seen, *fits, _memory(dtype, [ours, theirs])]


def _examine_fit(adapter: Adapter, base: ModelDescription) -> Finding:
    from cosec.models.adapters import check_fits
    from cosec.models.loading.reading import read_outline

    try:
        check_fits(adapter, read_outline(base.name, base.path), base.name)
    except CosecError as error:
        return Finding(subject="adapter", good=False, text=str(error))
    recorded = "its recorded base" if adapter.base_sha256 else "its base by name (no fingerprint is recorded)"
    text = f"{adapter.path} changes {len(adapter.scales)} linear maps and fits {base.name}, {recorded}"
    return Finding(subject="adapter", good=True, text=text)


def _examine_rule(folder: Path) -> Finding:
    """Say by which rule the adapter hardens unless told otherwise."""
    from cosec.decoding.rules.choice import described_rule
    from cosec.decoding.rules.rule_file import own_rule
    from cosec.decoding.settings import decoding_settings

    try:
        carried = own_rule(folder)
    except CosecError as error:
        return Finding(subject="rule", good=False, text=str(error))
    whose = "the adapter's own" if carried else "the paper's, as the adapter carries none"
    return Finding(subject="rule", good=True, text=f"{described_rule(decoding_settings(carried, {}).rule)}: {whose}")


def _examine_vocabulary(ours: ModelDescription, theirs: ModelDescription) -> Finding:
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
        return Finding(subject="vocabulary", good=False, text=str(error))
    widths = f"heads are {ours.head_width} and {theirs.head_width} wide"
    return Finding(subject="vocabulary", good=True, text=f"{shared.size} tokens agree one by one ({widths})")


def _memory(dtype: str, models: Sequence[ModelDescription], adapter: Adapter | None = None) -> Finding:
    """Say what weights and caches take; with an adapter, the one model predicts for two rows per completion."""
    weights = sum(model.weight_bytes(dtype) for model in models)
    text = f"weights {weights / MIB:.0f} MiB"
    rows = 1
    if adapter is not None:
        rows = 2
        held = sum(tensor.numel() * tensor.element_size() for tensor in adapter.weights.values())
        text += f", held once, and {held / MIB:.1f} MiB for the adapter"
    needs = [model.cache_bytes_per_token(dtype) for model in models]
    known = [need for need in needs if need is not None]
    if len(known) == len(needs):
        per_token = rows * sum(known)
        example = 25 * 1000 * per_token
        text += f"; key-value caches {per_token / 1024:.0f} KiB per token of each completion"
        text += f" (25 completions of 1000 tokens: {example / MIB:.0f} MiB)"
    return Finding(subject="memory", good=True, text=text)


def _examine_law() -> Finding:
    from cosec.decoding.selftest import law_selftest

    outcome = law_selftest()
    return Finding(subject="law", good=outcome.passed, text=outcome.summary)


def _one_line(model: ModelDescription) -> str:
    family = model.family.name if model.family is not None else f"no known family, architecture {model.model_type}"
    return f"{model.name} ({family}; {model.parameters / 1e6:.1f} M weights; context {model.context_length})"
