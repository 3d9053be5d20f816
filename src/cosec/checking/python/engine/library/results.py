"""Results of functions outside the file: cleaned, converted or decoded arguments, or new values."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from cosec.checking.python.engine.domain import alphabets, texts
from cosec.checking.python.engine.domain.program import Bound, text_of
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.taints import any_taint
from cosec.checking.python.engine.domain.values import (
    MAC,
    UNKNOWN,
    Held,
    Value,
    constant,
    facts_for,
    holding,
    join_all,
)
from cosec.checking.python.engine.library import attributes, codes, conditions, containers, markup, methods, rows
from cosec.checking.python.engine.library.builtin_functions import BUILTINS
from cosec.checking.python.knowledge.cleaning import (
    BINARY_DECODERS,
    CLEAN_RESULTS,
    CONVERTERS,
    DECODERS,
    ENCODERS,
    EXPRESSIONS,
    NORMALISERS,
    RAISING,
    RAW_EXPRESSIONS,
    REMOVES,
    SAME,
    SANITISER,
    TRUSTED_RECEIVER,
    TRUTH,
)
from cosec.checking.python.knowledge.dangers import DANGERS, PATH
from cosec.checking.python.knowledge.files import CONTENT_DANGERS, OPENERS, READERS, READING_METHODS


def result(site: CallSite) -> Value:
    """Return the value of a call of a function outside the file."""
    for model in (rows.result, containers.container_method, containers.made, _special, _by_name, methods.text_method):
        found = model(site)
        if found is not None:
            return found
    return _default(site)


@lru_cache(maxsize=4096)
def _is_truth(method: str) -> bool:
    return TRUTH.search(method) is not None


def _special(site: CallSite) -> Value | None:
    if _is_truth(site.method) or (site.method == "match" and _is_path(site.receiver)):
        return Value(flags=frozenset({"number"}))
    for name in sorted(site.names & _SPECIAL.keys(), key=_PLACES.__getitem__):
        found = _SPECIAL[name](site)
        if found is not None:
            return found
    if site.method in {"dumps", "dump"} and site.within("pickle.", "cPickle.", "dill.", "marshal."):
        return UNKNOWN
    if site.called("fnmatch.translate"):
        return site.first.without({"regex"})
    if site.method in {"StringIO", "BytesIO"} and not site.positional:
        return holding(Held("list", depth=site.analysis.depth)).with_(flags=frozenset({"buffer"}))
    for model in (_of_file, _of_path, _of_regex):
        found = model(site)
        if found is not None:
            return found
    return None


def _of_file(site: CallSite) -> Value | None:
    if site.called(*OPENERS):
        return _opened(site, site.first, 1)
    if site.is_method and site.method == "open" and _is_path(site.receiver):
        return _opened(site, site.receiver, 0)
    if site.is_method and site.method in READING_METHODS:
        return _content(site.receiver)
    # Functions that also take open files read the content of an upload, not of a file with its name.
    return _content(site.first) if site.called(*READERS) and _is_path(site.first) else None


def _is_path(value: Value) -> bool:
    return bool({"path", "normalised"} & value.flags) or "pathlib.Path()" in value.names


def _content(path: Value) -> Value:
    """Return the content of a file, which inherits only `CONTENT_DANGERS` from the path."""
    return Value(taints=path.step("content").without(DANGERS - CONTENT_DANGERS).taints)


def _opened(site: CallSite, path: Value, place: int) -> Value:
    """Return an open file; ``place`` is the position of the mode argument."""
    mode = site.argument(place, "mode")
    name = path.letters().replace("\0", "")
    writes = mode is not None and bool(mode.strings) and any(set("wax+") & set(each) for each in mode.strings)
    log = writes and bool(re.search(r"\blogs?\b|\.log\b|_log\b", name))
    return _content(path).with_(names=frozenset({"open()"}), flags=frozenset({"log file"} if log else set()))


def _of_path(site: CallSite) -> Value | None:
    if site.method == "join" and site.within("os.path", "posixpath", "path."):
        return attributes.joined_path(_pieces(site))
    if site.method == "joinpath":
        return attributes.joined_path([site.receiver, *_pieces(site)])
    if site.method in {"with_suffix", "with_name", "with_stem"}:
        return _with_name(site)
    if site.method in {"Path", "PurePath", "PosixPath", "PurePosixPath", "WindowsPath"} and not site.is_method:
        if len(pieces := _pieces(site)) > 1:
            return attributes.joined_path(pieces).with_(names=frozenset({"pathlib.Path()"}))
        first = join_all(pieces)
        return first.with_(names=frozenset({"pathlib.Path()"}), flags=first.flags | {"path"}, when_true=frozenset())
    return None


def _pieces(site: CallSite) -> list[Value]:
    """Return the pieces of a path that is joined; ``*parts`` may be several."""
    return site.positional if site.rest == UNKNOWN else [*site.positional, site.rest, site.rest]


def _of_regex(site: CallSite) -> Value | None:
    if site.method in {"sub", "subn"}:
        by_function = bool(site.positional) and bool(site.positional[0].targets)
        if by_function or site.within("re.", "regex.") or conditions.is_compiled(site.receiver):
            return _substituted(site)
    if site.method in {"match", "fullmatch", "search", "findall", "finditer"}:
        return _matched(site)
    if site.method == "compile" and site.within("re.", "regex."):
        first = site.first
        names = join_all([site.argument(1, "flags") or UNKNOWN]).names
        return Value(
            constants=first.constants, exact=first.exact, names=names | {"re.compile()"}, flags=frozenset({"regex"})
        )
    if site.method in {"group", "groups", "groupdict"} and "matched" in site.receiver.flags:
        return site.receiver.step("group")
    return None


def _with_name(site: CallSite) -> Value:
    added = Value(taints=site.taints())
    if site.method == "with_suffix":
        return site.receiver if not added.taints else attributes.joined_path([site.receiver, added.without(PATH)])
    return attributes.joined_path([site.receiver, added.without(PATH)])


def _substituted(site: CallSite) -> Value:
    """Return ``re.sub(pattern, replacement, text)``."""
    compiled = conditions.is_compiled(site.receiver) or not site.within("re.", "regex.")
    pattern = site.receiver if compiled else site.argument(0, "pattern")
    replacement = site.argument(0 if compiled else 1, "repl")
    text = site.argument(1 if compiled else 2, "string")
    if text is None or pattern is None:
        return UNKNOWN
    made = text.step("sub")
    new = replacement.constant if replacement is not None else None
    if replacement is not None and replacement.targets:
        new = ""  # What the function returns is added below.
    if len(pattern.strings) == 1 and isinstance(new, str):
        removed = alphabets.single_class(pattern.strings[0])
        if removed is not None:
            made = made.without(conditions.absent(removed - frozenset(new)))
    if replacement is not None and replacement.targets:
        match = text.step("match").with_(flags=frozenset({"matched"}))
        made = texts.compose([made, site.analysis.apply(replacement, [match], site.node), made])
    return made


def _matched(site: CallSite) -> Value | None:
    pattern, text, flags = conditions.regex_parts(site)
    if text is None or pattern is None:
        return None
    alphabet = frozenset().union(*(alphabets.match_alphabet(each, flags) for each in pattern.strings))
    harmless = alphabets.ruled_out(alphabet) if pattern.strings else frozenset()
    step = site.method if site.method not in {"match", "fullmatch", "search"} else "match"
    return text.step(step).without(harmless).with_(flags=frozenset({"matched"}))


def _mac(site: CallSite) -> Value:
    values = site.all_arguments()
    taints = frozenset(taint.step(MAC) for value in values for taint in value.all_taints())
    return Value(taints=taints, flags=frozenset({"mac"})).without(DANGERS)


def _partial(site: CallSite) -> Value:
    if not site.positional:
        return UNKNOWN
    return Value(targets=(Bound(site.positional[0], tuple(site.positional[1:]), dict(site.named)),))


def _quoted_words(site: CallSite) -> Value:
    return Value(taints=Value(taints=site.taints()).without({"command"}).step("join").taints)


def _split_words(site: CallSite) -> Value:
    """Return ``shlex.split(text)``; the words of known letters at the start keep their places."""
    first = site.first
    letters = first.letters().split("\0", 1)[0].split()
    if not first.taints and isinstance(first.constant, str):
        return holding(Held("list", {(place,): constant(each) for place, each in enumerate(first.constant.split())}))
    held = Held("list", {(place,): constant(each) for place, each in enumerate(letters)})
    held.element = first.step("words")
    return holding(held)


def _relative(site: CallSite) -> Value:
    first = site.first
    return first.step("relative").with_(flags=first.flags | {"relative", "normalised"})


def _common(site: CallSite) -> Value:
    elements = [item for value in site.positional for held in value.holds for item in held.items()] or site.positional
    tainted = [each for each in elements if each.all_taints()]
    kind = {"common", "letters"} if site.called("os.path.commonprefix") else {"common"}
    flags = frozenset(kind | ({"normalised"} if all("normalised" in each.flags for each in tainted) else set()))
    return join_all(each.step("common") for each in tainted).with_(flags=flags) if tainted else UNKNOWN


def _parsed_url(site: CallSite) -> Value:
    return site.first.step("url").with_(flags=frozenset({"parsed"}))


def _yaml(site: CallSite) -> Value | None:
    """Return the reader and writer ``YAML(typ="unsafe")``; None for those of plain types."""
    kind = site.argument(0, "typ")
    unsafe = kind is not None and kind.constant == "unsafe"
    return Value(names=frozenset({"ruamel.yaml.YAML(unsafe)"})) if unsafe else None


_SPECIAL: dict[str, Callable[[CallSite], Value | None]] = {
    **BUILTINS,
    **dict.fromkeys(("hmac.new", "hmac.digest", "hmac.HMAC"), _mac),
    **dict.fromkeys(("functools.partial", "partial"), _partial),
    **dict.fromkeys(("codecs.encode", "codecs.decode"), codes.by_codec),
    **dict.fromkeys(("json.loads", "simplejson.loads", "orjson.loads", "ujson.loads"), codes.loaded_json),
    **dict.fromkeys(("docutils.core.publish_parts", "docutils.core.publish_string"), markup.restructured),
    "ruamel.yaml.YAML": _yaml,
    "shlex.join": _quoted_words,
    "shlex.split": _split_words,
    **dict.fromkeys(("os.path.relpath",), _relative),
    **dict.fromkeys(("os.path.commonpath", "os.path.commonprefix"), _common),
    **dict.fromkeys(
        ("urllib.parse.urlparse", "urllib.parse.urlsplit", "urlparse", "urlparse.urlparse", "urlsplit"), _parsed_url
    ),
    **dict.fromkeys(
        ("markupsafe.Markup", "flask.Markup", "Markup", "jinja2.Markup", "jinja2.utils.markupsafe.Markup"),
        markup.markup,
    ),
    **dict.fromkeys(
        ("django.utils.safestring.mark_safe", "mark_safe", "SafeString", "django.utils.safestring.SafeString"),
        markup.declared_safe,
    ),
    **dict.fromkeys(("django.utils.html.format_html", "format_html"), markup.format_html),
}


_PLACES = {name: place for place, name in enumerate(_SPECIAL)}
"""Of several names of a function, the first one of the table is tried first."""


def _by_name(site: CallSite) -> Value | None:
    method = site.method
    values = [*([site.receiver] if site.is_method else []), *site.positional, *site.named.values()]
    if method == "escape" and not (site.is_method and site.receiver.names & {"pathlib.Path()"}):
        return markup.escaped(site)
    if method == "relative_to" and site.positional:
        return _relative_to(site)
    if method in {"hexdigest", "digest"} and "mac" in site.receiver.flags:
        return site.receiver
    if method in CONVERTERS:
        if method in RAISING:
            site.analysis.frame.state.facts |= facts_for(site.first.all_taints(), DANGERS)
        if method == "int" and (folded := _folded_number(site)) is not None:
            return folded
        flags = frozenset({"number"}) if method in {"int", "float", "len", "round"} else frozenset()
        return Value(flags=flags)
    if method in REMOVES and not (method == "clean" and not site.within("bleach", "nh3")):
        return _removed(site, values)
    if method in NORMALISERS and (site.is_method or site.within("os.path", "pathlib", "posixpath", "path.", method)):
        source = values[0] if values else UNKNOWN
        if method in {"normpath", "abspath"} and source.parts and source.parts[0] == "/":
            source = source.without({"dots"})  # Nothing lies above the root.
        return source.with_(flags=source.flags | ({"normalised"} if method != "absolute" else set()), parts=())
    return _by_name_of_text(site, values)


def _by_name_of_text(site: CallSite, values: list[Value]) -> Value | None:
    method = site.method
    if method in SAME and values:
        return _same(site)
    if method in DECODERS and values:
        made = codes.decoded(values)
        return made.with_(flags=frozenset({"bytes"})) if method in BINARY_DECODERS else made
    if method in ENCODERS and values:
        return codes.encoded(values)
    if method in {"split", "splitext", "splitdrive"} and site.within("os.path", "path."):
        return site.first.step("split").with_(flags=frozenset({"tail"} if method == "split" else {"plain items"}))
    if method == "dirname" and site.within("os.path", "posixpath", "path.", "dirname"):
        return site.first.step(".parent").with_(flags=site.first.flags & {"normalised"} | {"parent"})
    if method == "maketrans":
        return methods.translation(site)
    if site.within("os.path", "tempfile.", "datetime.", "math.", "random.", "secrets.", "hashlib.", "uuid.", "bcrypt."):
        return UNKNOWN
    return None


def _folded_number(site: CallSite) -> Value | None:
    """Return the number for constants such as ``int("600", 8)``."""
    text, base = site.first.constant, site.argument(1, "base")
    number = base.constant if base is not None else 10
    if not isinstance(text, str) or not isinstance(number, int):
        return None
    try:
        return constant(int(text, number))
    except ValueError:
        return None


def _relative_to(site: CallSite) -> Value:
    """Return ``path.relative_to(root)``, which raises unless the path is inside ``root``."""
    if "normalised" in site.receiver.flags:
        checked = conditions.independent(site.receiver, site.positional[0])
        site.analysis.frame.state.facts |= facts_for(checked, PATH)
    return site.receiver


def _removed(site: CallSite, values: list[Value]) -> Value:
    dangers = REMOVES[site.method]
    if site.method in {"quote"} and site.within("shlex.", "pipes."):
        dangers = dangers | {"command"}
    if site.method == "quote" and (safe := site.argument(1, "safe")) is not None and safe.constant == "":
        dangers = DANGERS
    taints = frozenset(taint for value in values for taint in value.all_taints())
    return Value(taints=taints).step(site.method).without(dangers)


def _same(site: CallSite) -> Value:
    values = [*site.positional, *site.named.values()] or [site.receiver]
    value = values[1] if site.method == "normalize" and len(values) > 1 else values[0]
    if site.method == "str" and not site.is_method:
        return attributes.as_text(site.analysis, value, decodes=len(values) > 1)
    if site.method in {"bytes", "bytearray"}:
        return value.with_(flags=value.flags | {"bytes"})
    if site.method in {"BytesIO", "StringIO"}:
        return value.with_(flags=value.flags | {"buffer"})
    if site.method in {"set", "frozenset"}:
        return value.with_(flags=value.flags | {"set"})
    if site.method in {"getmembers", "getnames", "namelist", "infolist", "copy"} and site.is_method:
        return site.receiver
    if site.method in {"copy", "deepcopy", "sorted", "reversed"} and value.holds:
        value = containers.copied(value, site.analysis.depth)
        for held in value.holds if site.method in {"sorted", "reversed"} else ():
            held.forget_places()
    return value


def _shared(site: CallSite) -> Value | None:
    """Return what the program stored under a key of an object that all its functions see."""
    key = site.first.constant if site.first.exact else None
    found = attributes.shared_item(site.analysis, site.receiver, key)
    default = site.argument(1, "default")
    return found if found is None or default is None else join_all([found, default])


def _default(site: CallSite) -> Value:
    names = frozenset(f"{name}()" for name in site.names if len(name) < attributes.MAX_NAME)
    method = site.method
    if "start_response" in site.analysis.frame.state.names and "start_response" in text_of(site.node):
        return Value(names=names)  # Another WSGI application makes the answer, or the server takes its headers.
    if method in {"get", "pop"} and site.analysis.shared and (shared := _shared(site)) is not None:
        return shared
    if not any_taint() and method not in {"get", "pop"}:
        return Value(names=names)
    if CLEAN_RESULTS.match(method) or any(TRUSTED_RECEIVER.search(name) for name in site.names):
        return Value(names=names)
    gathered = Value(taints=site.taints() | site.receiver.taints)
    if site.is_method and method in {"get", "pop"} and not site.receiver.taints:
        # A lookup in the program's own data.
        default = site.argument(1, "default")
        return Value(names=names) if default is None else default.with_(names=names)
    if not gathered.taints:
        return Value(names=names)
    if SANITISER.search(method) and not site.is_method:
        gathered = gathered.without(DANGERS)
    if site.within(*EXPRESSIONS) and not site.called_last(RAW_EXPRESSIONS):
        gathered = gathered.without({"sql"})
    flags = frozenset({"archive", "tar"}) & site.receiver.flags
    if method in {"read", "readline"} and site.receiver.flags & {"bytes", "binary", "upload"}:
        flags |= {"bytes"}
    return Value(taints=gathered.step(f"call:{method}").taints, names=names, flags=flags)
