"""A stand-in for jinja2: values, filters, loops, conditions and automatic escaping; no inheritance, no macros."""

import ast
import re
from pathlib import Path

from markupsafe import Markup, escape

_TAGS = re.compile(r"(\{\{-?.*?-?\}\}|\{%-?.*?-?%\}|\{#.*?#\})", re.S)
_FILTERS = {
    "e": escape,
    "escape": escape,
    "forceescape": lambda value: escape(str(value)),
    "safe": lambda value: Markup(value),
    "upper": lambda value: value.upper(),
    "lower": lambda value: value.lower(),
    "title": lambda value: value.title(),
    "trim": lambda value: value.strip(),
    "length": len,
    "join": lambda values, between="": Markup(between).join(values),
    "default": lambda value, other="": value if value is not None else other,
    "striptags": lambda value: Markup(value).striptags(),
    "int": int,
    "tojson": lambda value: __import__("json").dumps(value),
}


class TemplateNotFound(Exception):
    """No loader has it."""


class Template:
    """A text with ``{{ value }}`` and ``{% for %}``, ``{% if %}``, ``{% set %}``, ``{% autoescape %}``."""

    def __init__(self, source, autoescape=False, filters=(), shared=(), **_options):
        self._parts = _TAGS.split(source)
        self._autoescape = autoescape
        self._filters = {**_FILTERS, **dict(filters)}
        self._shared = dict(shared)

    def render(self, *args, **kwargs):
        context = {**self._shared, **dict(*args, **kwargs)}
        written = []
        self._run(0, context, written, self._autoescape)
        return "".join(written)

    def _run(self, at, context, written, escaping, ends=()):
        """Run up to the tag that ends the block and return where it stands; nothing is written where None is given."""
        while at < len(self._parts):
            part = self._parts[at]
            at += 1
            if part.startswith("{{"):
                if written is not None:
                    value = self._value(part[2:-2].strip("-"), context)
                    written.append(str(escape(value) if escaping else "" if value is None else value))
            elif part.startswith("{%"):
                tag = part[2:-2].strip("-").strip()
                word, _, rest = tag.partition(" ")
                if word in ends:
                    return at - 1
                at = self._block(word, rest, at, context, written, escaping)
            elif not part.startswith("{#") and written is not None:
                written.append(part)
        return at

    def _block(self, word, rest, at, context, written, escaping):
        if word == "set":
            name, _, value = rest.partition("=")
            if written is not None:
                context[name.strip()] = self._value(value, context)
            return at
        if word == "autoescape":
            return self._run(at, context, written, self._value(rest, context), ("endautoescape",)) + 1
        if word == "for":
            names, _, values = rest.partition(" in ")
            end = at
            for value in (self._value(values, context) or ()) if written is not None else ():
                inner = dict(context)
                many = [name.strip() for name in names.split(",")]
                inner.update(zip(many, value) if len(many) > 1 else [(many[0], value)])
                end = self._run(at, inner, written, escaping, ("endfor",))
            return (end if end != at else self._run(at, context, None, escaping, ("endfor",))) + 1
        if word == "if":
            done = False
            while True:
                holds = not done and (word == "else" or (written is not None and bool(self._value(rest, context))))
                at = self._run(at, context, written if holds else None, escaping, ("elif", "else", "endif"))
                done = done or holds
                word, _, rest = self._parts[at][2:-2].strip("-").strip().partition(" ")
                at += 1
                if word == "endif":
                    return at
        raise SyntaxError(f"unknown tag {word}")

    def _value(self, text, context):
        tree = ast.parse(text.strip().replace(" true", " True").replace(" false", " False"), mode="eval")
        names = {"true": True, "false": False, "none": None, **context}
        return self._of(tree.body, names)

    def _of(self, node, names):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            call = node.right
            arguments = [self._of(one, names) for one in call.args] if isinstance(call, ast.Call) else []
            name = call.func.id if isinstance(call, ast.Call) else call.id
            return self._filters[name](self._of(node.left, names), *arguments)
        if isinstance(node, ast.Name):
            return names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._of(node.value, names)
            return owner.get(node.attr) if isinstance(owner, dict) and node.attr in owner else getattr(owner, node.attr)
        if isinstance(node, ast.Subscript):
            return self._of(node.value, names)[self._of(node.slice, names)]
        if isinstance(node, ast.Call):
            return self._of(node.func, names)(*(self._of(one, names) for one in node.args))
        if isinstance(node, ast.Constant):
            return node.value
        # Operators are Python's own; their operands are put in as values.
        values = {}
        for field, child in ast.iter_fields(node):
            if isinstance(child, list):
                setattr(node, field, [self._placed(one, names, values) for one in child])
            else:
                setattr(node, field, self._placed(child, names, values))
        return eval(compile(ast.fix_missing_locations(ast.Expression(node)), "template", "eval"), {}, values)

    def _placed(self, child, names, values):
        if not isinstance(child, ast.expr):
            return child
        name = f"value_{len(values)}"
        values[name] = self._of(child, names)
        return ast.Name(name, ast.Load())


class DictLoader:
    """Templates by name."""

    def __init__(self, mapping):
        self._mapping = mapping

    def text(self, name):
        if name not in self._mapping:
            raise TemplateNotFound(name)
        return self._mapping[name]


class FileSystemLoader:
    """Templates in a folder."""

    def __init__(self, searchpath, **_options):
        self._folder = Path(searchpath if isinstance(searchpath, (str, Path)) else searchpath[0])

    def text(self, name):
        if not (self._folder / name).is_file():
            raise TemplateNotFound(name)
        return (self._folder / name).read_text()


class FunctionLoader:
    """Templates that a function finds."""

    def __init__(self, load):
        self.text = load


BaseLoader = DictLoader


def select_autoescape(enabled_extensions=("html", "htm", "xml"), default_for_string=True, default=False, **_options):
    def chosen(name):
        return default_for_string if name is None else name.endswith(tuple(enabled_extensions)) or default

    return chosen


class Environment:
    """Where templates come from."""

    def __init__(self, loader=None, autoescape=False, **_options):
        self.loader = loader
        self.autoescape = autoescape
        self.filters = {}
        self.globals = {}

    def _template(self, source, name):
        escaping = self.autoescape(name) if callable(self.autoescape) else self.autoescape
        return Template(source, escaping, self.filters, self.globals)

    def from_string(self, source):
        return self._template(source, None)

    def get_template(self, name):
        return self._template(self.loader.text(name), name)


class StrictUndefined:
    """Accepted as an option."""


Undefined = StrictUndefined
