"""Where text comes in from outside: requests, the command line, standard input, sockets, downloads, archives."""

from __future__ import annotations

import ast
import re

from cosec.checking.python.engine.domain.program import Class, Program, text_of
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.taints import first_taint
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Source, Value, holding, join
from cosec.checking.python.knowledge.dangers import DANGERS
from cosec.checking.python.knowledge.frameworks import WEB_MODULES
from cosec.checking.python.knowledge.sources import (
    ANNOTATIONS,
    ARCHIVES,
    ATTRIBUTES,
    BODY_OF_REQUEST,
    CALLS,
    CLEAN_OF_REQUEST,
    CONTAINER_TYPES,
    ENVIRONMENT,
    FORM,
    FORM_DATA,
    HANDLERS,
    HARMLESS_TYPES,
    REQUESTS,
    SERVER_VARIABLES,
    STREAMS,
    UNCERTAIN,
    WEB_VARIABLES,
    WIDGET_STATE,
    CallSource,
    SourceKind,
)


def incoming(kind: SourceKind, text: str, *, flags: frozenset[str] = frozenset()) -> Value:
    """Return text from outside; ``text`` names the source."""
    return Value(taints=frozenset({first_taint(Source(kind, text))}), flags=flags)


def environment(text: str) -> Value:
    """Return a variable of the environment: its owner may name programs and files, but no further commands."""
    return incoming("environment", text).without(DANGERS - {"command"})


def element(value: Value) -> Value | None:
    """Return any item of ``value`` if it is a stream of messages, else None."""
    streams = sorted(each for each in value.names if STREAMS.search(each))
    return incoming("remote", f"message of {streams[0]}") if streams else None


def is_request(value: Value) -> bool:
    """Tell whether it is a web framework's request."""
    return "request" in value.flags or bool(value.names & REQUESTS)


def is_web(analysis: Analysis, program: Program | None = None) -> bool:
    """Tell whether names such as ``request``, ``get`` and ``View`` are those of a web framework in a file.

    ``program`` is the file; None for the one whose code runs.
    """
    return analysis.entry_points == "all" or bool(WEB_MODULES & (program or analysis.program).imported)


def attribute(analysis: Analysis, value: Value, name: str, node: ast.expr) -> Value | None:
    """Return ``value.name`` if that is a source, else None."""
    if is_request(value):
        if name in CLEAN_OF_REQUEST:
            return Value(names=frozenset({f"request.{name}"}))
        return incoming("remote", _text(node), flags=frozenset({"bytes"} if name in BODY_OF_REQUEST else ()))
    if name in FORM_DATA and any(FORM.search(each) for each in value.names):
        return incoming("remote", _text(node))
    for dotted, kind in ATTRIBUTES.items():
        module, _, attribute_name = dotted.rpartition(".")
        if name == attribute_name and module in value.names:
            return incoming(kind, dotted)
    for held in value.held("instance"):
        bases = held.owner.base_names() if isinstance(held.owner, Class) else set[str]()
        found = _handler_attribute(held, name, bases, web=is_web(analysis))
        if found is not None:
            return found
    return None


def _of_handler(name: str) -> Value:
    return incoming("remote", f"self.{name}", flags=frozenset({"binary"} if name == "rfile" else ()))


def request_handler() -> Value:
    """Return the ``self`` of a method of `http.server` or `socketserver` whose class is not in the file."""
    fields: dict[object, Value] = {name: _of_handler(name) for row in HANDLERS[:1] for name in row.attributes}
    return holding(Held("instance", fields, depth=-1)).with_(names=frozenset({"<self>"}))


def _handler_attribute(held: Held, name: str, bases: set[str], *, web: bool) -> Value | None:
    for row in HANDLERS:
        stored = row.unless_stored and name in held.fields
        if name in row.attributes and not stored and any(base.endswith(row.base) for base in bases):
            return _of_handler(name)
    if name == "request" and name not in held.fields and bases and web:
        return Value(flags=frozenset({"request"}))
    return None


def item(container: Value, key: object) -> Value | None:
    """Return ``container[key]`` if that is a source, else None."""
    if container.names & {"os.environ", "os.environb"}:
        text = f"os.environ[{key!r}]"
        web = isinstance(key, str) and key.startswith(WEB_VARIABLES)
        return incoming("remote", text) if web else environment(text)
    if is_request(container):
        return incoming("remote", f"request[{key!r}]")
    return None


def is_set_by_server(container: Value, key: object) -> bool:
    """Tell whether ``container[key]`` is a part of a request's environment that the server sets."""
    return key in SERVER_VARIABLES and all(_ENVIRONMENTS.search(taint.source.text) for taint in container.taints)


_ENVIRONMENTS = re.compile(r"\bMETA$|\benviron\b")


def call(site: CallSite) -> Value | None:
    """Return the result of a call that lets text in, else None."""
    if is_request(site.receiver) and site.method not in CLEAN_OF_REQUEST:
        if site.method.startswith("is_"):
            return UNKNOWN
        binary = site.method in BODY_OF_REQUEST and site.argument(None, "as_text") is None
        return incoming("remote", _text(site.node), flags=frozenset({"bytes"} if binary else ()))
    for row in CALLS if _may_fit(site) else ():
        if _fits(row, site):
            found = incoming(row.kind, _text(site.node))
            if site.within("streamlit."):
                _note_widget(site, found)
            default = None if row.default_place is None else site.argument(row.default_place, "default")
            return found if default is None else join(found, default)
    if site.names & ENVIRONMENT and site.positional:
        return _variable(site)
    if names := site.names & ARCHIVES:
        flags = frozenset({"archive", "zip" if "zipfile.ZipFile" in names else "tar"})
        if any(taint.source.kind not in UNCERTAIN for taint in site.taints()):
            flags |= {"received"}
        return archive(f"{_text(site.node)}:{site.node.lineno}", flags)
    return _command_line(site)


def _variable(site: CallSite) -> Value:
    """Return ``os.getenv(name, default)``."""
    key, default = site.positional[0].constant, site.argument(1, "default")
    text = _text(site.node)
    web = isinstance(key, str) and key.startswith(WEB_VARIABLES)
    found = incoming("remote", text) if web else environment(text)
    return found if default is None else default.with_(exact=False, parts=(), taints=default.taints | found.taints)


def _note_widget(site: CallSite, found: Value) -> None:
    """Keep the text of a widget where streamlit keeps it."""
    key = site.argument(None, "key")
    if key is not None and isinstance(key.constant, str):
        site.analysis.shared[f"{WIDGET_STATE}.{key.constant}"] = found


def _text(node: ast.expr) -> str:
    """Return the start of an expression's source, which names it as a source."""
    return text_of(node)[:80]


_FUNCTIONS = frozenset[str]().union(*(row.functions for row in CALLS))
_METHODS = frozenset[str]().union(*(row.methods for row in CALLS))


def _may_fit(site: CallSite) -> bool:
    """Tell whether any row of `CALLS` may fit; most calls fit none."""
    return site.called_last(_METHODS) or not site.names.isdisjoint(_FUNCTIONS)


def _fits(row: CallSource, site: CallSite) -> bool:
    if site.names & row.functions:
        return True
    if (row.on_value and not site.is_method) or (row.of_clean_value and site.receiver.taints):
        return False
    if row.modules:
        return site.within(*row.modules) and site.called_last(row.methods)
    return site.method in row.methods


def archive(text: str, flags: frozenset[str]) -> Value:
    """Return an archive with unchecked members."""
    made = incoming("archive", text, flags=flags)
    return made.with_(names=frozenset({"zipfile.ZipFile()" if "zip" in flags else "tarfile.open()"}))


def _command_line(site: CallSite) -> Value | None:
    parser = any("ArgumentParser()" in name or "add_" in name for name in site.names)
    form = any("RequestParser()" in name for name in site.names)
    if site.method == "add_argument" and (parser or form):
        _note_option(site, "remote" if form else "argv")
        return UNKNOWN
    if form and site.method in {"parse_args", "copy"}:
        return _form(site)
    if site.method in {"parse_args", "parse_known_args", "parse_intermixed_args"}:
        everything = incoming("argv", "command line")
        fields: dict[object, Value] = {}
        fields.update(site.analysis.options)
        options = holding(Held("instance", fields, None if fields else everything))
        if site.method == "parse_known_args":
            return holding(Held("tuple", {(0,): options, (1,): everything}))
        return options
    return None


def _form(site: CallSite) -> Value:
    """Return the arguments that flask_restful's ``RequestParser`` read from a request."""
    if site.method == "copy":
        return site.receiver
    fields: dict[object, Value] = {}
    for name, value in site.analysis.options.items():
        fields[name] = fields[(name,)] = value
    return holding(Held("dict", fields, None if fields else incoming("remote", "request arguments")))


def _note_option(site: CallSite, source: SourceKind) -> None:
    """Record the value of an option of `argparse`, or of an argument of flask_restful's parser."""
    flags = [each.constant for each in site.positional if isinstance(each.constant, str)]
    texts = [each for each in flags if isinstance(each, str)]
    if not texts:
        return
    long = next((each for each in texts if each.startswith("--")), texts[0])
    destination = site.argument(None, "dest")
    name = destination.constant if destination is not None else long.lstrip("-").replace("-", "_")
    action = site.argument(None, "action")
    value = incoming(source, f"option {long}")
    kind = site.argument(None, "type")
    if site.argument(None, "choices") is not None or (
        action is not None and action.strings and action.strings[0] not in {"store", "append", "extend"}
    ):
        value = UNKNOWN
    elif kind is not None:
        value = site.analysis.apply(kind, [value], site.node)
    default = site.argument(None, "default")
    site.analysis.options[str(name)] = value if default is None else join(value, default)


def is_harmless_type(analysis: Analysis, annotation: ast.expr) -> bool:
    """Tell whether a value that was converted to this type is harmless."""
    names = type_names(annotation)
    names -= CONTAINER_TYPES | (ANNOTATIONS if "Annotated" in names else frozenset())
    if "Literal" in names:
        return True
    if not names:
        return False
    for name in names:
        classes = [each for each in analysis.classes if each.name == name]
        if not (name in HARMLESS_TYPES or any(each.base_names() & {"Enum", "StrEnum", "IntEnum"} for each in classes)):
            return False
    return True


def type_names(annotation: ast.expr) -> set[str]:
    """Return the last parts of all names in an annotation."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            annotation = ast.parse(annotation.value, mode="eval").body
        except SyntaxError:
            return set()
    found: set[str] = set()
    waiting: list[ast.AST] = [annotation]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Constant):
            found |= {"None"} if node.value is None else set()
        elif isinstance(node, ast.Call):
            waiting.append(node.func)
        else:
            waiting.extend(ast.iter_child_nodes(node))
    return found
