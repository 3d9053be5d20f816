"""Values of the parameters of entry points: request handlers, commands, and functions that other files call."""

from __future__ import annotations

import ast
import re

from cosec.checking.python.engine import definitions
from cosec.checking.python.engine.domain import alphabets
from cosec.checking.python.engine.domain.program import Class, Function, last_name
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.values import UNKNOWN, Held, Value, constant, holding
from cosec.checking.python.engine.library import sources
from cosec.checking.python.knowledge.dangers import DANGERS
from cosec.checking.python.knowledge.frameworks import (
    COMMANDS,
    CONTEXTS,
    CONVERTER,
    EXCEPTIONS,
    FRAMEWORKS,
    GRAPHQL_CONTEXT,
    GRAPHQL_DECORATORS,
    GRAPHQL_RESOLVERS,
    HANDLER_CLASSES,
    HANDLER_METHODS,
    HARMLESS_CONVERTERS,
    INFRASTRUCTURE,
    LINE_METHODS,
    MACHINERY,
    MESSAGE_CLASSES,
    MESSAGE_METHODS,
    MESSAGE_MODULES,
    PARTS_OF_REQUESTS,
    REQUEST_TYPES,
    ROUTES,
    TASKS,
    TASKS_OF_THE_PROGRAM,
    TEMPLATE_DECORATORS,
    TEXTUAL,
)
from cosec.checking.python.knowledge.pages import MARKUP_TYPES, TAG


def handler_kind(analysis: Analysis, function: Function) -> str:
    """Return the framework whose requests the function answers; empty for any other function."""
    program = function.module.program
    framework = next((each for each in FRAMEWORKS if each in program.imported), "")
    web = sources.is_web(analysis, program)
    if any(_is_route(each, web) for each in function.decorators) or (web and function.node in analysis.registered):
        return framework or "flask"
    names = [each.arg for each in function.parameters]
    bases = set() if function.owner is None else function.owner.base_names()
    if function.owner is not None and function.owner.name in HANDLER_CLASSES:
        bases.add(function.owner.name)  # The framework's own class.
    if function.name in HANDLER_METHODS and any(base.endswith(HANDLER_CLASSES) for base in bases) and web:
        return framework or "view"
    if function.name in {"lambda_handler", "handler"} and names[:1] == ["event"]:
        return "lambda"
    if "start_response" in names:
        return "wsgi"
    if "falcon" in program.imported and function.name.startswith("on_") and names[1:3] == ["req", "resp"]:
        return "falcon"
    if _answers_graphql(function):
        return "graphql"
    if (
        names[:1] in (["request"], ["req"])
        and function.owner is None
        and framework in {"django", "aiohttp", "starlette"}
    ):
        return framework
    return "message" if _takes_messages(function, names, bases) else ""


def _is_route(decorator: ast.expr, web: bool) -> bool:
    if last_name(decorator) not in ROUTES or not isinstance(decorator, ast.Call | ast.Attribute):
        return False
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if last_name(decorator) == "patch" and (isinstance(called, ast.Name) or "mock" in ast.unparse(called)):
        return False  # A test double.
    if web:
        return True
    first = decorator.args[0] if isinstance(decorator, ast.Call) and decorator.args else None
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith("/")


def _answers_graphql(function: Function) -> bool:
    imported = function.module.program.imported
    if {"strawberry", "ariadne"} & imported and function.decorated(*GRAPHQL_DECORATORS):
        return True
    graphene = {"graphene", "graphene_django"} & imported
    return bool(graphene) and function.owner is not None and GRAPHQL_RESOLVERS.fullmatch(function.name) is not None


def _takes_messages(function: Function, names: list[str], bases: set[str]) -> bool:
    """Tell whether a queue, a socket or a remote call hands its messages to the function."""
    imported = function.module.program.imported
    if any(last_name(each) in TASKS for each in function.decorators):
        return not TASKS_OF_THE_PROGRAM & imported
    if function.owner is not None:
        takes = function.name in MESSAGE_METHODS or names[1:] == ["request", "context"]
        return takes and any(base.endswith(MESSAGE_CLASSES) for base in bases)
    return any(module in imported and parameter in names for module, parameter in MESSAGE_MODULES.items())


def from_caller(analysis: Analysis, text: str) -> Value:
    """Return what a function's caller passes: untrusted if every function is an entry point, else unknown."""
    return sources.incoming("parameter", text) if analysis.entry_points == "all" else UNKNOWN


def parameter_values(analysis: Analysis, function: Function, kind: str) -> dict[str, Value]:
    """Values of all parameters; ``kind`` is the framework of `handler_kind`."""
    names = {each.arg: parameter_value(analysis, function, each, kind) for each in function.parameters}
    arguments = function.node.args
    for extra, held in ((arguments.vararg, "tuple"), (arguments.kwarg, "dict")):
        if extra is not None:
            names[extra.arg] = holding(Held(held, element=_incoming(analysis, function, extra.arg, kind)))
    return names


def _incoming(analysis: Analysis, function: Function, name: str, kind: str) -> Value:
    text = f"parameter {name!r} of {function.name}()"
    if kind:
        sent = sources.incoming("remote", text)
        return sent.without({"log"}) if kind == "message" and function.name in LINE_METHODS else sent
    if analysis.entry_points == "declared" and _from_command_line(function, name):
        return sources.incoming("argv", text)
    if any(ast.unparse(each).split("(")[0] in TEMPLATE_DECORATORS for each in function.decorators):
        return sources.incoming("parameter", text)
    return from_caller(analysis, text)


def _from_command_line(function: Function, name: str) -> bool:
    """Tell whether the command line sets a parameter: ``main(argv)``, a management command's ``handle(**options)``."""
    if function.owner is not None:
        return function.name == "handle" and any(base.endswith("Command") for base in function.owner.base_names())
    return function.name == "main" or name == "argv"


def parameter_value(analysis: Analysis, function: Function, parameter: ast.arg, kind: str) -> Value:
    """Return the value of one parameter."""
    name, annotation = parameter.arg, parameter.annotation
    types = sources.type_names(annotation) if annotation is not None else set()
    if name == "self" and function.owner is None and _answers_over_a_socket(function):
        return sources.request_handler()
    if _is_request(analysis, function, name, kind, types):
        return Value(flags=frozenset({"request"}))
    fixed = _known_value(analysis, function, parameter, kind, types)
    if fixed is not None:
        return fixed
    value = _typed_value(analysis, function, parameter, kind, types)
    if value is not None:
        return value
    default = function.defaults.get(name)
    if not types and not kind:
        if (part := _part_of_program(analysis, function, name)) is not None:
            return part
        if default is not None and isinstance(default.constant, int | float):
            return default.with_(exact=False)
    found = _incoming(analysis, function, name, kind)
    if types & {"Path", "PurePath", "PathLike"}:
        found = found.with_(flags=frozenset({"path"}))
    elif types & {"UploadFile", "FileStorage"}:
        found = found.with_(flags=frozenset({"upload"}))
    return found.without(_pattern_of(annotation, _default_node(function, name)))


def _part_of_program(analysis: Analysis, function: Function, name: str) -> Value | None:
    """Return an object of the program, such as a connection; None for other parameters."""
    if name == "self" and function.owner is None and _makes_markup(function):
        # A method without its class: what its object holds may be shown.
        shown = _incoming(analysis, function, name, "").without(DANGERS - {"xss"})
        return shown.with_(names=frozenset({"<self>"}))
    if _is_infrastructure(name) and not _is_put_into_text(function, name):
        return Value(names=frozenset({f"<{name}>"}))
    return None


def _makes_markup(function: Function) -> bool:
    texts = (each.value for each in ast.walk(function.node) if isinstance(each, ast.Constant))
    return any(isinstance(text, str) and TAG.search(text) for text in texts)


def _answers_over_a_socket(function: Function) -> bool:
    """Tell whether a method, by its name or what it reads, is one of a handler of `http.server` or `socketserver`."""
    if re.fullmatch(r"do_[A-Z]+", function.name):
        return True
    read = {ast.unparse(each) for each in ast.walk(function.node) if isinstance(each, ast.Attribute)}
    return {"self.rfile", "self.wfile"} <= read


def _is_infrastructure(name: str) -> bool:
    return name in INFRASTRUCTURE or name.endswith(
        ("_conn", "_connection", "_cursor", "_client", "_session", "_logger")
    )


def _is_put_into_text(function: Function, name: str) -> bool:
    """Tell whether a function puts a parameter into a text, and uses no attribute of it: it is a name, no object."""
    nodes = list(ast.walk(function.node))
    if any(isinstance(each, ast.Attribute) and ast.unparse(each.value) == name for each in nodes):
        return False
    return any(isinstance(each, ast.FormattedValue) and ast.unparse(each.value) == name for each in nodes)


def _is_request(analysis: Analysis, function: Function, name: str, kind: str, types: set[str]) -> bool:
    if not types & REQUEST_TYPES and (name not in {"request", "req"} or types & TEXTUAL):
        return False
    # Clients and servers of other protocols have objects of these names too.
    if types and not types & REQUEST_TYPES and analysis.entry_points == "declared":
        return False
    if bool(kind and kind != "message") or "HttpRequest" in types or sources.is_web(analysis):
        return True
    attributes = (each for each in ast.walk(function.node) if isinstance(each, ast.Attribute))
    return any(each.attr in PARTS_OF_REQUESTS and ast.unparse(each.value) == name for each in attributes)


def _known_value(
    analysis: Analysis, function: Function, parameter: ast.arg, kind: str, types: set[str]
) -> Value | None:
    """Return the value of a parameter that its type, decorator or default determines; None for others."""
    name, annotation = parameter.arg, parameter.annotation
    harmless = annotation is not None and sources.is_harmless_type(analysis, annotation)
    if any(last_name(each) in COMMANDS for each in function.decorators):
        return _command_value(function, name, harmless)
    if name in CONTEXTS and function.decorated("task") and function.positional[:1] == [parameter]:
        return Value(names=frozenset({"<context>"}))
    if name == "autoescape" and function.decorated("filter"):
        return constant(True)  # Django passes whether the template escapes, which it does unless it says otherwise.
    if kind and function.decorated("after_request", "after_app_request"):
        return UNKNOWN  # The response that a handler made.
    if (kind == "falcon" and name == "resp") or (kind == "graphql" and name in GRAPHQL_CONTEXT):
        return UNKNOWN
    if types and types <= MARKUP_TYPES | {"None", "Optional"}:
        return Value(flags=frozenset({"markup"}))
    if types & {"TarFile", "ZipFile"}:
        return sources.archive(name, frozenset({"archive", "zip" if "ZipFile" in types else "tar"}))
    if analysis.entry_points == "declared" and name in EXCEPTIONS and kind and not function.decorators:
        return UNKNOWN
    dependency = _dependency(analysis, _default_node(function, name), annotation)
    if dependency is not None:
        return dependency
    return UNKNOWN if harmless or (kind and _converted(analysis, function, name)) else None


def _dependency(analysis: Analysis, *nodes: ast.expr | None) -> Value | None:
    """Return the value of FastAPI's ``Depends(function)``."""
    for node in nodes:
        for each in ast.walk(node) if node is not None else ():
            if not (isinstance(each, ast.Call) and last_name(each) in {"Depends", "Security"}):
                continue
            targets = analysis.evaluate(each.args[0]).targets if each.args else ()
            for target in targets:
                if isinstance(target, Function):
                    names = parameter_values(analysis, target, "fastapi")
                    return analysis.entered(definitions.run_function(analysis, target, names))
            return UNKNOWN
    return None


def _typed_value(
    analysis: Analysis, function: Function, parameter: ast.arg, kind: str, types: set[str]
) -> Value | None:
    for owner in analysis.classes:
        if owner.name in types and types - {"list", "List", "Annotated", "Optional", "None"} == {owner.name}:
            return instance_from_outside(analysis, owner, _incoming(analysis, function, parameter.arg, kind))
    if types and not types & TEXTUAL and not (kind and types - {"None", "Optional"} and not _external(types)):
        if kind in {"fastapi", "starlette"} and parameter.arg not in function.defaults:
            return None
        if not any(MACHINERY.search(each) for each in types) and all(each[:1].isupper() for each in types):
            return None
        return Value(names=frozenset(f"{each}()" for each in types))
    return None


def _external(types: set[str]) -> bool:
    return any(each[:1].isupper() for each in types)


def instance_from_outside(analysis: Analysis, owner: Class, incoming: Value) -> Value:
    """Return an object of a class of the file whose fields are untrusted, within their types and validators."""
    held = Held("instance", owner=owner, depth=-1)
    for name, annotation in owner.annotated_fields().items():
        value = incoming.step(f".{name}").without(_pattern_of(annotation, owner.field_default(name)))
        if sources.is_harmless_type(analysis, annotation):
            value = UNKNOWN
        held.fields[name] = value
    if not held.fields:
        held.element = incoming if owner.member("__init__") is None and owner.bases else None
    for member in owner.members.values():
        for target in member.targets:
            if isinstance(target, Function) and target.decorated("validator", "field_validator"):
                _validate(analysis, target, held)
    return holding(held)


def _validate(analysis: Analysis, validator: Function, held: Held) -> None:
    for decorator in validator.decorators:
        if isinstance(decorator, ast.Call):
            for each in decorator.args:
                name = each.value if isinstance(each, ast.Constant) else None
                if isinstance(name, str) and name in held.fields:
                    before = analysis.frame.state.copy()
                    value = definitions.call_function(analysis, validator, [UNKNOWN, held.fields[name]], {}, UNKNOWN)
                    held.fields[name] = value.baked(analysis.frame.state.facts)
                    analysis.frame.state.become(before)


def _default_node(function: Function, name: str) -> ast.expr | None:
    arguments = function.node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((default for parameter, default in pairs if parameter.arg == name), None)


def _pattern_of(*nodes: ast.expr | None) -> frozenset[str]:
    """Return the dangers that ``Query(pattern=…)`` and similar declarations rule out."""
    for node in nodes:
        for each in ast.walk(node) if node is not None else ():
            if isinstance(each, ast.keyword) and each.arg in {"pattern", "regex"}:
                pattern = each.value.value if isinstance(each.value, ast.Constant) else None
                return alphabets.ruled_out_by_match(str(pattern), whole=False) if pattern else frozenset()
    return frozenset()


def _converted(analysis: Analysis, function: Function, name: str) -> bool:
    """Tell whether the route converts the parameter to a harmless type."""
    registration = analysis.registered.get(function.node)
    for route in [*function.decorators, *([registration] if registration is not None else [])]:
        for node in ast.walk(route):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for match in CONVERTER.finditer(node.value):
                    if match[2] == name and match[1] in HARMLESS_CONVERTERS:
                        return True
                    if match[3] == name and match[4] in HARMLESS_CONVERTERS:
                        return True
    return False


def _command_value(function: Function, name: str, harmless: bool) -> Value:
    """A parameter of a click or typer command."""
    if harmless:
        return UNKNOWN
    for decorator in function.decorators:
        if not isinstance(decorator, ast.Call) or last_name(decorator) not in {"argument", "option"}:
            continue
        flags = [each.value for each in decorator.args if isinstance(each, ast.Constant)]
        if name not in [str(each).lstrip("-").replace("-", "_").lower() for each in flags]:
            continue
        for keyword in decorator.keywords:
            if keyword.arg == "is_flag" or (
                keyword.arg == "type"
                and last_name(keyword.value) in {"int", "float", "Choice", "INT", "IntRange", "UUID"}
            ):
                return UNKNOWN
    default = function.defaults.get(name)
    if default is not None and isinstance(default.constant, int | float):
        return constant(default.constant)
    return sources.incoming("argv", f"option {name}")
