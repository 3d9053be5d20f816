"""Codes of texts, such as base64: a text that is encoded and decoded again is the same text."""

from __future__ import annotations

from collections.abc import Sequence

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import Taint, Value
from cosec.checking.python.knowledge.cleaning import BINARY_CODECS


def decoded(values: Sequence[Value]) -> Value:
    """Return what `values` are the code of."""
    return Value(taints=frozenset(taint.decoded() for value in values for taint in value.all_taints()))


def encoded(values: Sequence[Value]) -> Value:
    """Return the code of `values`, such as base64."""
    flags = frozenset().union(*(value.flags & {"mac"} for value in values))
    return Value(taints=frozenset(taint.encoded() for value in values for taint in value.all_taints()), flags=flags)


def by_codec(site: CallSite) -> Value | None:
    """Return ``codecs.encode(text, "hex")`` and ``codecs.decode``; None for encodings of text."""
    codec = site.argument(1, "encoding")
    if codec is None or str(codec.constant).replace("-", "_") not in BINARY_CODECS:
        return None
    return encoded([site.first]) if site.method == "encode" else decoded([site.first])


def loaded_json(site: CallSite) -> Value:
    """Return ``json.loads(text)``, which turns escaped line breaks back."""
    loaded = site.first.step("call:loads")
    return loaded.mapped(lambda taint: Taint(taint.source, taint.lineage, taint.neutral - {"log"}))
