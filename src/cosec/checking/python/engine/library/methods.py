"""Methods of texts: their results."""

from __future__ import annotations

from collections.abc import Set

from cosec.checking.python.engine.domain import alphabets, texts
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import (
    UNKNOWN,
    WHOLE,
    Scalar,
    Taint,
    Value,
    constant,
    join,
)
from cosec.checking.python.engine.library import containers, sources
from cosec.checking.python.knowledge.sources import MESSAGE_PARTS
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


def text_method(site: CallSite) -> Value | None:
    """Return the result of a method of a text; None for other calls."""
    receiver, method = site.receiver, site.method
    if method in _NUMBERS or method in _TESTS:
        return Value(flags=frozenset({"number"}))
    if method == "join" and site.positional:
        return texts.joined_text(receiver, site.positional[0])
    if method in {"format", "format_map"}:
        return _format(site)
    if method in _FOLDABLE and not receiver.taints and receiver.strings and (known := _folded(site)):
        return Value(constants=known, exact=True) if len(known) > 1 else constant(known[0])
    if method in {"encode", "decode"} and receiver.constants:
        return _same_text(site)
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
    return _coded(site) or _part(site)


def _coded(site: CallSite) -> Value | None:
    """Return a text as a code of itself, or as a date; None for other methods."""
    receiver, method = site.receiver, site.method
    if method == "hex":
        return Value(taints=frozenset(taint.encoded() for taint in receiver.taints))
    if method in {"hexdigest", "digest"}:
        return UNKNOWN if "mac" not in receiver.flags else receiver
    if method in {"strftime", "isoformat"}:
        return Value(taints=site.taints())  # A date has no text of its own.
    return None


def _part(site: CallSite) -> Value | None:
    """Return a part of a mail, a query or another mapping; None for other methods."""
    receiver, method = site.receiver, site.method
    if method in {"get", "getlist", "getfirst", "getvalue", "pop", "getall", "get_all", "setdefault", "getone"}:
        return _got(site)
    if method in MESSAGE_PARTS and not (method == "walk" and "path" in receiver.flags):
        return receiver.step(f".{method}")
    if method in {"items", "values", "keys", "lists", "to_dict", "dict", "model_dump", "json", "multi_items"}:
        return receiver.with_(parts=())
    return None


def _folded(site: CallSite) -> tuple[str, ...]:
    """Return what a method such as ``strip`` makes of each known text; empty if an argument is not known."""
    arguments = [each.constant for each in site.positional]
    if not all(isinstance(each, str) for each in arguments) or site.named:
        return ()
    known = (each for each in site.receiver.constants if isinstance(each, str))
    try:
        return tuple(dict.fromkeys(getattr(str, site.method)(each, *arguments) for each in known))
    except (TypeError, ValueError):
        return ()


def _same_text(site: CallSite) -> Value:
    receiver = site.receiver
    removed = site.positional[0].letters() if site.positional else ""
    made = receiver.with_(when_true=frozenset(), when_false=frozenset())
    if site.method in {"encode", "decode"}:
        kept = receiver.flags - {"markup", "bytes"}
        made = made.with_(flags=kept | {"bytes"} if site.method == "encode" else kept)
    else:
        made = made.with_(constants=_folded(site) if site.method in _FOLDABLE else (), exact=False)
    if site.method in {"strip", "lstrip"} and ("/" in removed):
        made = made.without({"absolute"})
    return made.without({"log"}) if removed in {"unicode_escape", "unicode-escape", "string_escape"} else made


def replaced(text: Value, arguments: list[Value]) -> Value:
    """Return ``text.replace(old, new)``."""
    if len(arguments) < 2:
        return text
    old, new = _plain(arguments[0].constant), _plain(arguments[1].constant)
    made = text.step(f"replace:{old}={new}")
    made = made.with_(flags=text.flags & {"path", "markup", "line", "bytes"})
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


def lacking(value: Value, characters: Set[str]) -> Value:
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
        return made.with_(flags=frozenset({"tail" if site.method == "rpartition" else "pieces"}))
    return made


def _translated(site: CallSite) -> Value:
    made = site.receiver.step("translate")
    table = containers.replaced_characters(site.first)
    removed = table.union(*(each for each in site.first.constants if isinstance(each, str)))
    return lacking(made, removed) if removed else made


def translation(site: CallSite) -> Value:
    """Return ``str.maketrans(…)``: a text of the characters that it replaces and does not bring back."""
    letters = [set(each.constant) if isinstance(each.constant, str) else set() for each in site.positional]
    if len(letters) == 1:
        return constant("".join(sorted(containers.replaced_characters(site.first))))
    removed = letters[0].union(*letters[2:]) - letters[1] if len(letters) > 1 else set()
    return constant("".join(sorted(removed)))


def _got(site: CallSite) -> Value:
    """Return ``query.get(name, default)``."""
    key = site.positional[0] if site.positional else UNKNOWN
    kind = site.argument(None, "type")
    name = _plain(key.constant) or "?"
    if sources.is_set_by_server(site.receiver, name):
        return UNKNOWN
    made = site.receiver.step(f"[{name}]").with_(flags=site.receiver.flags & {"query", "parsed"})
    if kind is not None:
        made = site.analysis.apply(kind, [made], site.node)
    default = site.argument(1, "default")
    return made if default is None else join(made, default)


def _format(site: CallSite) -> Value | None:
    if site.receiver.names and not (site.receiver.parts or site.receiver.taints or site.named):
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
