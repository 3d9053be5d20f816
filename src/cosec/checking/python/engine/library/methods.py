"""Methods of texts and containers: their results and effects."""

from __future__ import annotations

from collections.abc import Callable

from cosec.checking.python.engine.domain import alphabets, texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import (
    UNKNOWN,
    WHOLE,
    Held,
    Scalar,
    Taint,
    Value,
    constant,
    holding,
    join,
    join_all,
)
from cosec.checking.python.engine.library import attributes
from cosec.checking.python.knowledge.words import words

SAME_TEXT = words(
    "strip lstrip rstrip lower upper casefold title capitalize swapcase expandtabs ljust rjust center zfill"
    " encode decode removeprefix removesuffix copy as_posix tobytes __str__"
)
"""Methods whose result is as dangerous as the text; a check of one is a check of the other."""

_FOLDABLE = words("strip lstrip rstrip lower upper casefold title capitalize replace removeprefix removesuffix")
_NUMBERS = words("find rfind index rindex count __len__ bit_length")
_TESTS = words(
    "startswith endswith isalnum isalpha isdigit isdecimal isnumeric isidentifier isprintable isspace islower"
    " isupper istitle isascii is_relative_to is_absolute exists is_file is_dir issubset issuperset"
)


def container_method(site: CallSite) -> Value | None:
    """Return the result of a method of a list, set, dict or tuple of the file; None for other calls."""
    holds = site.receiver.holds
    if not holds or all(held.kind in {"instance", "response"} for held in holds):
        return None
    found = _CONTAINER_METHODS.get(site.method)
    return None if found is None else found(site)


def _add(site: CallSite) -> Value:
    facts = site.analysis.frame.state.facts
    value = site.positional[-1] if site.positional else UNKNOWN
    for held in site.receiver.holds:
        if (
            held.kind == "list"
            and site.method == "append"
            and held.element is None
            and site.analysis.depth <= held.depth
        ):
            place = len(held.fields)
            held.fields[(place,)] = value.baked(facts)
        else:
            held.add(value.baked(facts))
    return UNKNOWN


def _extend(site: CallSite) -> Value:
    facts = site.analysis.frame.state.facts
    for value in site.positional:
        for held in site.receiver.holds:
            _extend_one(held, value, site)
    for name, value in site.named.items():
        for held in site.receiver.holds:
            held.store((name,), value.baked(facts), site.analysis.depth)
    return UNKNOWN


def _extend_one(held: Held, value: Value, site: CallSite) -> None:
    mappings = value.held("dict") if held.kind == "dict" else []
    for mapping in mappings:
        for key, item in mapping.fields.items():
            held.store(key, item, site.analysis.depth)
        if mapping.element is not None:
            held.add(mapping.element)
    if mappings:
        return
    known = [each for one in value.held("list", "tuple") if one.element is None for each in one.items()]
    if known and held.kind == "list" and held.element is None and site.analysis.depth <= held.depth:
        for each in known:
            held.fields[(len(held.fields),)] = each
    elif (element := attributes.element_of(value)) != UNKNOWN:
        held.add(element.baked(site.analysis.frame.state.facts))


def _get(site: CallSite) -> Value:
    key = site.positional[0] if site.positional else UNKNOWN
    default = site.argument(1, "default")
    known = key.exact and len(key.constants) == 1
    if known:
        found = attributes.item_of(site.receiver, key.constants[0])
        present = any((key.constants[0],) in held.fields for held in site.receiver.holds)
        if present or default is None:
            return found
    else:
        found = join_all(each for held in site.receiver.holds for each in held.items())
    return join(found, default if default is not None else constant(None)) if found != UNKNOWN else default or UNKNOWN


def _set_default(site: CallSite) -> Value:
    if len(site.positional) == 2:
        key, value = site.positional
        for held in site.receiver.holds:
            if key.exact and len(key.constants) == 1:
                held.store((key.constants[0],), value, site.analysis.depth + 1)
            else:
                held.add(value)
    return _get(site)


def _items(site: CallSite) -> Value:
    keys = attributes.element_of(site.receiver)
    values = join_all(each for held in site.receiver.holds for each in held.items())
    pairs = Held("generator")
    for held in site.receiver.holds:
        for key, value in held.fields.items():
            if isinstance(key, tuple) and isinstance(key[0], str | int | float):
                pairs.add(holding(Held("tuple", {(0,): constant(key[0]), (1,): value})))
    if pairs.element is None or any(held.element is not None for held in site.receiver.holds):
        pairs.add(holding(Held("tuple", {(0,): keys, (1,): values})))
    return holding(pairs)


def _keys(site: CallSite) -> Value:
    return holding(Held("list", element=attributes.element_of(site.receiver)))


def _values(site: CallSite) -> Value:
    made = Held("list")
    for held in site.receiver.holds:
        for each in held.items():
            made.add(each)
    return holding(made)


def _pop(site: CallSite) -> Value:
    if site.receiver.held("dict") and site.positional:
        return _get(site)
    return join_all(each for held in site.receiver.holds for each in held.items())


def _written(site: CallSite) -> Value:
    """Return all that was written into a buffer."""
    return texts.joined_text(constant(""), site.receiver)


def _same(site: CallSite) -> Value:
    return site.receiver


def _union(site: CallSite) -> Value:
    made = Held("set")
    for value in [site.receiver, *site.positional]:
        element = attributes.element_of(value)
        if element != UNKNOWN:
            made.add(element)
    return holding(made)


_CONTAINER_METHODS: dict[str, Callable[[CallSite], Value]] = {
    **dict.fromkeys(("append", "add", "appendleft", "insert", "put", "write", "put_nowait"), _add),
    **dict.fromkeys(("extend", "update"), _extend),
    "get": _get,
    "setdefault": _set_default,
    "getvalue": _written,
    "items": _items,
    "keys": _keys,
    "values": _values,
    **dict.fromkeys(("pop", "popleft", "popitem"), _pop),
    **dict.fromkeys(("copy", "sort", "reverse"), _same),
    **dict.fromkeys(("union", "intersection", "difference", "symmetric_difference"), _union),
}


def text_method(site: CallSite) -> Value | None:
    """Return the result of a method of a text; None for other calls."""
    receiver, method = site.receiver, site.method
    if method in _NUMBERS or method in _TESTS:
        return Value(flags=frozenset({"number"}))
    if method == "join" and site.positional:
        return texts.joined_text(receiver, site.positional[0])
    if method in {"format", "format_map"}:
        return _format(site)
    if method in _FOLDABLE and (folded := _folded(site)) is not None:
        return folded
    return _tainted_text_method(site) if receiver.taints else None


def _tainted_text_method(site: CallSite) -> Value | None:
    receiver, method = site.receiver, site.method
    if method in SAME_TEXT:
        return _same_text(site)
    if method == "replace":
        return replaced(receiver, site.positional)
    if method in {"split", "rsplit", "splitlines", "partition", "rpartition"}:
        return _split(site)
    if method == "translate":
        return _translated(site)
    if method in {"hex", "hexdigest", "digest"}:
        return UNKNOWN if "mac" not in receiver.flags else receiver
    if method in {"get", "getlist", "getfirst", "getvalue", "pop", "getall", "get_all", "setdefault", "getone"}:
        return _got(site)
    if method in {"items", "values", "keys", "lists", "to_dict", "dict", "model_dump", "json", "multi_items"}:
        return receiver.with_(parts=())
    return None


def _folded(site: CallSite) -> Value | None:
    texts_ = [site.receiver.constant, *(each.constant for each in site.positional)]
    if not all(isinstance(each, str) for each in texts_) or site.named:
        return None
    try:
        return constant(getattr(str, site.method)(*texts_))
    except (TypeError, ValueError):
        return None


def _same_text(site: CallSite) -> Value:
    receiver = site.receiver
    removed = site.positional[0].letters() if site.positional else ""
    made = receiver.with_(constants=(), exact=False, when_true=frozenset(), when_false=frozenset())
    if site.method in {"strip", "lstrip"} and ("/" in removed):
        made = made.without({"absolute"})
    return made.without({"log"}) if removed in {"unicode_escape", "unicode-escape", "string_escape"} else made


def replaced(text: Value, arguments: list[Value]) -> Value:
    """Return ``text.replace(old, new)``."""
    if len(arguments) < 2:
        return text
    old, new = _plain(arguments[0].constant), _plain(arguments[1].constant)
    made = text.step(f"replace:{old}={new}")
    made = made.with_(flags=text.flags & {"path", "markup", "line"})
    if isinstance(old, str) and isinstance(new, str) and old not in new:
        if len(old) == 1:
            made = lacking(made, {old})
        elif old == "..":
            made = made.without({"dots"})
    extra = arguments[1].all_taints()
    return made if not extra else Value(taints=made.taints | extra)


def _plain(value: Scalar) -> str | None:
    """Return a constant text, bytes decoded; None for other constants."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else None


def lacking(value: Value, characters: set[str]) -> Value:
    """Return a text from which these characters were removed."""
    kinds = {f"lacks {each}" for each in characters}

    def change(taint: Taint) -> Taint:
        gone = {each[6:] for each in taint.neutral if each.startswith("lacks ")} | characters
        return taint.without(frozenset(kinds) | alphabets.ruled_out_by_absence(gone))

    return value.mapped(change)


def _split(site: CallSite) -> Value:
    separator = site.positional[0].constant if site.positional else None
    made = site.receiver.step("split")
    if site.method == "splitlines" or separator in ("\n", "\r\n", b"\n"):
        return made.with_(flags=frozenset({"lines"}))
    if separator is None:
        return made.with_(flags=frozenset({"words"}))
    if separator in {"/", "\\"} or (site.positional and "os.sep" in site.positional[0].names):
        return made.with_(flags=frozenset({"pieces"}))
    return made


def _translated(site: CallSite) -> Value:
    made = site.receiver.step("translate")
    removed = {each for value in site.positional for each in value.constants if isinstance(each, str)}
    characters = {letter for each in removed for letter in each}
    return lacking(made, characters) if characters else made


def _got(site: CallSite) -> Value:
    """Return ``query.get(name, default)``."""
    key = site.positional[0] if site.positional else UNKNOWN
    kind = site.argument(None, "type")
    name = _plain(key.constant) or "?"
    made = site.receiver.step(f"[{name}]").with_(flags=site.receiver.flags & {"query", "parsed"})
    if kind is not None:
        made = site.analysis.apply(kind, [made], site.node)
    default = site.argument(1, "default")
    return made if default is None else join(made, default)


def _format(site: CallSite) -> Value | None:
    if site.receiver.names and not (site.receiver.parts or site.receiver.taints):
        return None
    positional, named = site.positional, site.named
    if site.method == "format_map":
        named = {
            str(key[0]): value
            for each in positional
            for held in each.held("dict")
            for key, value in held.fields.items()
            if isinstance(key, tuple)
        }
        positional = []
    taints = site.taints()
    rest = Value(taints=frozenset(taint.step("format").without(frozenset({WHOLE})) for taint in taints))
    starred = site.rest if site.rest != UNKNOWN else rest
    made = texts.brace_format(site.receiver, positional, named, starred)
    if made is None:
        return Value(taints=site.receiver.all_taints() | rest.taints, flags=site.receiver.flags & {"markup"})
    return made
