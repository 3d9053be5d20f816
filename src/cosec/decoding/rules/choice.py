"""A rule as users write it: the flags of the command line and the ``cosec`` fields of a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, create_model
from pydantic.fields import FieldInfo

from cosec.decoding.rules.schema import DEFAULT_RULE, RENAMED, RULES, RuleSettings
from cosec.errors import SettingsError


def _rule_field() -> tuple[Any, Any]:
    described = " ".join(f"{name}: {_help(kind)}" for name, kind in RULES.items())
    names = Literal[(*RULES, *RENAMED["rules"])]  # type: ignore[valid-type] # the names are data
    return names | None, Field(default=None, description=f"{described} Default: the adapter's own, or {DEFAULT_RULE}.")


def _help(kind: type[RuleSettings]) -> str:
    text = (kind.__doc__ or "").strip()
    return text[:1].lower() + text[1:]


def _setting_fields() -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Every setting of every rule once; its type is the union of what the rules take."""
    for setting in dict.fromkeys(name for kind in RULES.values() for name in kind.settings()):
        found = {name: kind.model_fields[setting] for name, kind in RULES.items() if setting in kind.settings()}
        types = tuple(_bare(field.annotation) for field in found.values())
        described = " ".join(f"{rule}: {_described(field)}" for rule, field in found.items())
        yield setting, (reduce(or_, types) | None, Field(default=None, description=described))


def _bare(annotation: Any) -> Any:
    """The type without its range: each rule checks its own, and a flag may belong to several."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if hasattr(annotation, "__metadata__"):
        return _bare(parts[0])
    return reduce(or_, map(_bare, parts)) if type(None) in get_args(annotation) else annotation


def _described(field: FieldInfo) -> str:
    text = field.description or ""
    return text if field.default is None else f"{text.removesuffix('.')} (default {field.default})."


_FIELDS: dict[str, Any] = {"rule": _rule_field(), **dict(_setting_fields())}
_Fields = create_model("_Fields", __config__=ConfigDict(frozen=True, extra="forbid"), **_FIELDS)


class RuleChoice(_Fields):  # type: ignore[valid-type,misc] # its fields are those of schema.py
    """The decoding rule and its settings; what is not given has the rule's default.

    The fields are ``rule``, the name, and every setting of every rule in :mod:`cosec.decoding.rules.schema`.
    """

    def settings(self) -> dict[str, object]:
        """The name and settings that were given, as ``decoding_settings`` takes them."""
        given = {name: getattr(self, name) for name in _FIELDS}
        return {"name" if name == "rule" else name: value for name, value in given.items() if value is not None}


def as_choice(rule: RuleSettings) -> dict[str, object]:
    """A rule's name and settings under the names of :class:`RuleChoice`."""
    values: Mapping[str, object] = rule.model_dump(exclude_none=True)
    return {"rule" if name == "name" else name: value for name, value in values.items()}


def described_rule(rule: RuleSettings) -> str:
    """A rule and its settings in one line, such as ``rule gate, strength 0.1, divergence kl, …``."""
    return ", ".join(f"{name} {value}" for name, value in as_choice(rule).items())


def refuse_unused_anti_expert(anti_expert: str | None, rule: RuleSettings) -> None:
    """Refuse an anti-expert that the rule does not compare the security model with.

    Raises:
        SettingsError: If there is one.
    """
    if anti_expert is not None and rule.contrast != "anti-expert":
        raise SettingsError("--anti-expert has no effect without the rule steer and --against anti-expert; add them.")
