"""Where text comes in from outside: requests, the command line, standard input, sockets, downloads, archives."""

from __future__ import annotations

import ast
import re

from cosec.checking.python.engine.domain.program import Class
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Source, Taint, Value, holding, join
from cosec.checking.python.knowledge.words import words

REQUESTS = frozenset(
    {"request", "self.request"}
    | {f"{framework}.request" for framework in ("flask", "flask.globals", "quart", "bottle", "web", "cherrypy")}
)
"""Names under which frameworks keep the request at hand."""

CLEAN_OF_REQUEST = words(
    "method user session endpoint is_secure scheme app is_json content_length remote_addr remote_user is_ajax"
    " blueprint url_rule db state client auth loop transport resolver_match max_content_length connection protocol"
)
"""Attributes of a request that its sender does not choose."""

FORM = re.compile(r"\w*Form\(\)(\.\w+)?$|(String|TextArea|Password|File|Email|URL|Search|Tel|Text|Hidden)Field\(\)$")
"""Forms of WTForms and Django, and their fields that let any text through."""

WEB_VARIABLES = ("QUERY_STRING", "PATH_INFO", "HTTP_", "REQUEST_URI", "SCRIPT_NAME", "CONTENT_TYPE")
HANDLER_FIELDS = frozenset({"path", "headers", "rfile", "requestline", "raw_requestline"})
"""Attributes of ``http.server.BaseHTTPRequestHandler`` that come from the client."""

DOWNLOADERS = ("requests.", "httpx.", "urllib.request.urlopen", "urllib.urlopen", "urllib2.urlopen", "aiohttp.")
DOWNLOADS = frozenset({"get", "post", "put", "patch", "request", "urlopen"})
RECEIVERS = frozenset({"recv", "recvfrom", "recv_into", "receive_text", "receive_json", "receive_bytes", "recv_string"})
ARGUMENT_GETTERS = frozenset(
    {"get_argument", "get_arguments", "get_body_argument", "get_query_argument", "get_query_arguments", "get_cookie"}
)
HARMLESS_TYPES = words(
    "int float bool complex date datetime time timedelta UUID UUID4 Decimal Literal PositiveInt NonNegativeInt"
    " conint IPv4Address IPv6Address IPvAnyAddress NonNegativeFloat PositiveFloat confloat"
)
"""Types that a converted or validated value cannot do harm with."""

ARCHIVES = frozenset({"tarfile.open", "tarfile.TarFile", "tarfile.TarFile.open", "zipfile.ZipFile"})


def incoming(kind: str, text: str, *, flags: frozenset[str] = frozenset()) -> Value:
    """Text that comes in from outside; ``text`` tells one source from another."""
    return Value(taints=frozenset({Taint(Source(kind, text), (f"{kind}:{text}",))}), flags=flags)


def is_request(value: Value) -> bool:
    """Whether it is a web framework's request."""
    return "request" in value.flags or bool(value.names & REQUESTS)


def attribute(analysis: Analysis, value: Value, name: str, node: ast.expr) -> Value | None:
    """``value.name`` where that is a source; None elsewhere."""
    if is_request(value):
        if name in CLEAN_OF_REQUEST:
            return Value(names=frozenset({f"request.{name}"}))
        return incoming("remote", ast.unparse(node)[:80])
    if name in {"data", "cleaned_data", "raw_data"} and any(FORM.search(each) for each in value.names):
        return incoming("remote", ast.unparse(node)[:80])
    if "sys" in value.names:
        if name == "argv":
            return incoming("argv", "sys.argv")
        if name == "stdin":
            return incoming("input", "sys.stdin")
    for held in value.held("instance"):
        bases = held.owner.base_names() if isinstance(held.owner, Class) else set()
        found = _handler_attribute(held, name, bases)
        if found is not None:
            return found
    return None


def _handler_attribute(held: Held, name: str, bases: set[str]) -> Value | None:
    """Attributes that a framework gives to the handlers derived from its classes."""
    if name in HANDLER_FIELDS and any(base.endswith("HTTPRequestHandler") for base in bases):
        return incoming("remote", f"self.{name}")
    if name == "rfile" and "StreamRequestHandler" in bases:
        return incoming("remote", "self.rfile")
    if name == "request" and name not in held.fields and bases:
        return Value(flags=frozenset({"request"}))
    if name == "kwargs" and name not in held.fields and any(base.endswith("View") for base in bases):
        return incoming("remote", "self.kwargs")
    return None


def item(container: Value, key: object) -> Value | None:
    """``container[key]`` where that is a source; None elsewhere."""
    if "os.environ" in container.names and isinstance(key, str) and key.startswith(WEB_VARIABLES):
        return incoming("remote", f"os.environ[{key!r}]")
    if is_request(container):
        return incoming("remote", f"request[{key!r}]")
    return None


def call(site: CallSite) -> Value | None:
    """The result of a call that lets something in; None for all others."""
    text = ast.unparse(site.node)[:80]
    if site.called("input", "raw_input", "click.prompt", "typer.prompt", "builtins.input"):
        return incoming("input", text)
    if is_request(site.receiver) and site.method not in CLEAN_OF_REQUEST:
        return UNKNOWN if site.method.startswith("is_") else incoming("remote", text)
    if site.called("cgi.FieldStorage"):
        return incoming("remote", text)
    if site.called("os.getenv", "os.environ.get") and site.positional:
        key = site.positional[0].constant
        if isinstance(key, str) and key.startswith(WEB_VARIABLES):
            return incoming("remote", text)
    if site.within(*DOWNLOADERS) and site.called_last(DOWNLOADS):
        return incoming("download", text)
    if site.is_method and site.method in RECEIVERS and not site.receiver.taints:
        return incoming("remote", text)
    if site.method in ARGUMENT_GETTERS and site.is_method:
        found = incoming("remote", text)
        default = site.argument(1, "default")
        return found if default is None else join(found, default)
    if names := site.names & ARCHIVES:
        flags = frozenset({"archive", "zip" if "zipfile.ZipFile" in names else "tar"})
        return archive(f"{text}:{site.node.lineno}", flags)
    return _command_line(site)


def archive(text: str, flags: frozenset[str]) -> Value:
    """An archive whose members' names nobody has checked."""
    made = incoming("archive", text, flags=flags)
    return made.with_(names=frozenset({"zipfile.ZipFile()" if "zip" in flags else "tarfile.open()"}))


def _command_line(site: CallSite) -> Value | None:
    parser = any("ArgumentParser()" in name or "add_" in name for name in site.names)
    if site.method == "add_argument" and parser:
        _note_option(site)
        return UNKNOWN
    if site.method in {"parse_args", "parse_known_args", "parse_intermixed_args"}:
        everything = incoming("argv", "command line")
        fields: dict[object, Value] = {}
        fields.update(site.analysis.options)
        options = holding(Held("instance", fields, None if fields else everything))
        if site.method == "parse_known_args":
            return holding(Held("tuple", {(0,): options, (1,): everything}))
        return options
    return None


def _note_option(site: CallSite) -> None:
    """Remember what an option of `argparse` can be."""
    flags = [each.constant for each in site.positional if isinstance(each.constant, str)]
    texts = [each for each in flags if isinstance(each, str)]
    if not texts:
        return
    long = next((each for each in texts if each.startswith("--")), texts[0])
    destination = site.argument(None, "dest")
    name = destination.constant if destination is not None else long.lstrip("-").replace("-", "_")
    action = site.argument(None, "action")
    value = incoming("argv", f"option {long}")
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
    """Whether a value that a framework converted to this type can do no harm."""
    names = type_names(annotation) - {
        "Optional",
        "Union",
        "None",
        "list",
        "List",
        "Annotated",
        "Sequence",
        "set",
        "Set",
    }
    names -= (
        {"Query", "Path", "Form", "Body", "Field", "tuple", "Tuple"} if "Annotated" in type_names(annotation) else set()
    )
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
    """Last parts of all names in an annotation."""
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
