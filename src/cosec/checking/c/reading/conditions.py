"""The text of a C file after its preprocessor conditions are decided and the macros that it defines are expanded.

Headers are not read, so most names in conditions are unknown. The file is then read twice: once as if every unknown
name were defined, and once as if none were. Each reading is consistent in itself, and together they show nearly all of
the code. Lines keep their numbers; code that a reading leaves out becomes blank.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from cosec.checking.c.reading.macros import Expander, definition

_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|//(?:\\\n|[^\n])*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_DIRECTIVE = re.compile(r"\s*#\s*([a-z_]+)\b(.*)|\s*#\s*$", re.DOTALL)
_DEFINES = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))")

_KNOWN = {"__STDC__": 1, "__STDC_VERSION__": 201710, "__STDC_HOSTED__": 1, "__GNUC__": 12, "__CHAR_BIT__": 8}
_KNOWN |= {"CHAR_BIT": 8, "UCHAR_MAX": 255, "SHRT_MAX": 2**15 - 1, "USHRT_MAX": 2**16 - 1, "INT_MAX": 2**31 - 1}
_KNOWN |= {"UINT_MAX": 2**32 - 1, "LONG_MAX": 2**63 - 1, "ULONG_MAX": 2**64 - 1, "SIZE_MAX": 2**64 - 1}
_UNDEFINED = frozenset({"__cplusplus", "NDEBUG", "lint", "__lint", "__COVERITY__", "S_SPLINT_S", "__clang_analyzer__"})


def readings(program: str) -> tuple[str, ...]:
    """Return the text of each reading, one or two."""
    plain = _COMMENT.sub(_without_comment, program.replace("\r\n", "\n"))
    if "#" not in plain:
        return (plain,)
    own = frozenset(_DEFINES.findall(plain))
    first = _Reading(own, assumed=True)
    texts = [first.read(plain)]
    if first.guessed:
        texts.append(_Reading(own, assumed=False).read(plain))
    return tuple(dict.fromkeys(texts))


def _without_comment(found: re.Match[str]) -> str:
    return found[0] if found[1] is not None else " " + "\n" * found[0].count("\n")


@dataclass(slots=True)
class _Chain:
    """One ``#if`` with its ``#elif`` and ``#else``."""

    outer: bool
    """Whether the code around it is read."""

    taken: bool
    """Whether one of its branches was chosen already."""

    active: bool
    """Whether the branch at this place is read."""


@dataclass(slots=True)
class _Reading:
    own: frozenset[str]
    """Names that the file defines somewhere; before that they are not defined."""

    assumed: bool
    """Whether unknown names are taken as defined."""

    guessed: bool = False
    """Whether a condition depended on that."""

    expander: Expander = field(default_factory=Expander)
    chains: list[_Chain] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    chunk: list[str] = field(default_factory=list)

    def read(self, plain: str) -> str:
        lines = plain.split("\n")
        at = 0
        while at < len(lines):
            line, count = lines[at], 1
            directive = line.lstrip().startswith("#")
            while directive and line.endswith("\\") and at + count < len(lines):
                line, count = line[:-1] + " " + lines[at + count], count + 1
            if directive:
                self._directive(line, lines[at : at + count])
            else:
                self.chunk.append(line if self._active() else "")
            at += count
        self._flush()
        return "\n".join(self.done)

    def _active(self) -> bool:
        return not self.chains or self.chains[-1].active

    def _flush(self) -> None:
        if self.chunk:
            self.done.append(self.expander.expand("\n".join(self.chunk)))
            self.chunk = []

    def _directive(self, line: str, lines: list[str]) -> None:
        found = _DIRECTIVE.fullmatch(line)
        name, rest = (found[1] or "", (found[2] or "").strip()) if found is not None else ("", "")
        kept = False
        if name in ("if", "ifdef", "ifndef"):
            outer = self._active()
            chosen = outer and self._decide(name, rest)
            self.chains.append(_Chain(outer, chosen, chosen))
        elif name in ("elif", "else") and self.chains:
            chain = self.chains[-1]
            chain.active = chain.outer and not chain.taken and (name == "else" or self._decide("if", rest))
            chain.taken = chain.taken or chain.active
        elif name == "endif" and self.chains:
            self.chains.pop()
        elif name in ("define", "undef", "include") and self._active():
            kept = name != "undef"
            self._define(name, rest)
        self.chunk += lines if kept else [""] * len(lines)
        if kept:
            self.done.append("\n".join(self.chunk))
            self.chunk = []

    def _define(self, name: str, rest: str) -> None:
        self._flush()
        if name == "undef":
            self.expander.macros.pop(rest.split()[0] if rest else "", None)
        elif name == "define" and (made := definition(rest)) is not None:
            self.expander.macros[made[0]] = made[1]

    def _decide(self, name: str, rest: str) -> bool:
        condition = rest
        if name != "if":
            condition = f"{'!' * (name == 'ifndef')}defined({(rest.split() or ['_'])[0]})"
        known = self._value(condition, None)
        if known is not None:
            return bool(known)
        self.guessed = True
        without = self._value(condition, False)
        if not self.assumed:
            return bool(without)
        value = self._value(condition, True)
        # Code that neither reading would show belongs to the first one.
        return value is None or bool(value) or not without

    def _value(self, condition: str, unknown: bool | None) -> int | None:
        """Return the value of a condition; None if it depends on names that ``unknown`` does not decide."""
        held: dict[str, int | None] = {}

        def placed(found: re.Match[str]) -> str:
            held[key := f"_cosec_{len(held)}"] = self._defined(found[1] or found[2], unknown)
            return key

        text = self.expander.expand(_DEFINED.sub(placed, condition))
        text = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", text).replace("&&", " and ").replace("||", " or ")
        text = re.sub(r"\b0+(?=\d)", "", re.sub(r"!(?!=)", " not ", text)).replace("/", "//")
        try:
            tree = ast.parse(" ".join(text.split()), mode="eval").body
            return _evaluated(tree, held, None if unknown is not False else 0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None if unknown is not False else 0

    def _defined(self, name: str, unknown: bool | None) -> int | None:
        if name in self.expander.macros or name in _KNOWN:
            return 1
        if name in self.own or name in _UNDEFINED:
            return 0
        return None if unknown is None else int(unknown)


def _evaluated(node: ast.expr, held: dict[str, int | None], default: int | None) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int) else default
    if isinstance(node, ast.Name):
        return held[node.id] if node.id in held else _KNOWN.get(node.id, 0 if node.id in _UNDEFINED else default)
    if isinstance(node, ast.BoolOp):
        return _joined(node, held, default)
    if isinstance(node, ast.UnaryOp):
        value = _evaluated(node.operand, held, default)
        if value is None:
            return None
        return int(not value) if isinstance(node.op, ast.Not) else -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        left, right = _evaluated(node.left, held, default), _evaluated(node.comparators[0], held, default)
        if left is None or right is None:
            return None
        results = {ast.Lt: left < right, ast.LtE: left <= right, ast.Gt: left > right, ast.GtE: left >= right}
        results |= {ast.Eq: left == right, ast.NotEq: left != right}
        return int(results[type(node.ops[0])]) if type(node.ops[0]) in results else default
    if isinstance(node, ast.BinOp):
        left, right = _evaluated(node.left, held, default), _evaluated(node.right, held, default)
        if left is None or right is None:
            return None
        sums = {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right, ast.BitAnd: left & right}
        return sums.get(type(node.op), default)
    return default


def _joined(node: ast.BoolOp, held: dict[str, int | None], default: int | None) -> int | None:
    decides = isinstance(node.op, ast.Or)
    values = [_evaluated(one, held, default) for one in node.values]
    if any(value is not None and bool(value) == decides for value in values):
        return int(decides)
    return None if None in values else int(not decides)
