"""Find weaknesses in C programs by static analysis of each function, and of what flows into local functions.

It prefers precision: values that are checked, bounded or built from numbers are accepted. Headers are not read, macros
of the file itself are expanded, and memory behind two pointers is not told apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cosec.checking.c.copies import (
    buffers,
    counted,
    escapes,
    given_sizes,
    ignored_sizes,
    iteration_writes,
    late_bounds,
    lengths,
    loops,
    terminators,
    wrappers,
)
from cosec.checking.c.copies.lengths import Lengths
from cosec.checking.c.flow.facts import Facts
from cosec.checking.c.flow.members import Members
from cosec.checking.c.flow.memory import FunctionContext, MemoryFlow
from cosec.checking.c.flow.summaries import ending_functions, summaries
from cosec.checking.c.reading.sizes import array_sizes, field_sizes, layouts, open_ended_members, sizes_of
from cosec.checking.c.reading.syntax import (
    Sizes,
    Unit,
    broken_functions,
    declarations,
    declared_name,
    forget_nodes,
    parameters,
    read,
    unread,
)
from cosec.checking.c.reading.types import SharedTypes, Types
from cosec.checking.c.texts import credentials, sinks
from cosec.checking.c.texts.sources import Texts
from cosec.checking.finding import CheckReport, Finding, Severity, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.checking.time_limit import OutOfTime

if TYPE_CHECKING:
    from tree_sitter import Node

_NAME = "c-static"
_BOUNDS = ("c/out-of-bounds-read", "c/out-of-bounds-write", "c/buffer-overflow")
_ROUNDS = 3
_SHOWN = 5
_LEVELS: tuple[Severity, ...] = ("error", "warning", "note")

Weaknesses = dict[tuple[int, str], tuple["Severity", str]]
"""Line and pattern -> level and message."""


class CStaticChecker:
    """Static analysis of C files."""

    name = _NAME
    patterns = frozenset(pattern.id for pattern in PATTERNS.values() if pattern.language == "c")

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Look for ``patterns`` (default: all) in the ``.c`` and ``.h`` files among ``paths``.

        An access out of bounds is reported under the one pattern about it that was asked for. A file that cannot be
        read, or that the analysis cannot finish, is unscored.
        """
        return CheckReport.merged(_check(path, patterns) for path in paths if path.suffix in (".c", ".h"))

    def check_content(self, path: Path, content: bytes, *, patterns: Collection[str]) -> CheckReport:
        """Look for ``patterns`` in the bytes of a file."""
        return _check_program(path, content.decode("utf-8", errors="replace"), patterns)


def _check(path: Path, patterns: Collection[str] | None) -> CheckReport:
    try:
        program = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return CheckReport(unscored=(Unscored(path=str(path), reason=f"cannot be read: {error.strerror}"),))
    return _check_program(path, program, patterns)


def _check_program(path: Path, program: str, patterns: Collection[str] | None) -> CheckReport:
    wrong: Weaknesses = {}
    reason: str | None = None
    broken: set[int] = set()
    forget_nodes()
    try:
        units = read(program)
        if not any(map(_is_program, units)):
            return CheckReport(unscored=(Unscored(path=str(path), reason="does not parse as C"),))
        broken = set.intersection(*(set(broken_functions(unit)) for unit in units))
        for unit in units:
            find_weaknesses(unit, wrong)
    except RecursionError:
        reason = "nested too deeply to be read"
    except OutOfTime:
        reason = "not fully judged: it takes too long"
    except Exception as error:  # a defect of the analysis must neither pass for a clean file nor end the scan
        reason = f"the c-static checker failed on it: {type(error).__name__}: {error}"
    findings = [
        _finding(str(path), line, asked, message, level)
        for (line, pattern), (level, message) in sorted(wrong.items())
        if (asked := _as_asked(pattern, patterns)) is not None
    ]
    unscored = () if reason is None else (Unscored(path=str(path), reason=reason),)
    partial = (Unscored(path=str(path), reason=_broken(sorted(broken))),) if broken else ()
    return CheckReport(findings=tuple(findings), unscored=unscored, partial=partial)


def _broken(lines: list[int]) -> str:
    one = len(lines) == 1
    shown = ", ".join(map(str, lines[:_SHOWN])) + (", …" if len(lines) > _SHOWN else "")
    return f"{len(lines)} function{'' if one else 's'} with syntax errors (line{'' if one else 's'} {shown})"


def _rank(found: tuple[Severity, str]) -> int:
    return _LEVELS.index(found[0])


def _is_program(unit: Unit) -> bool:
    """Tell whether a text is C at all: most of it parses, or a function does."""
    return bool(unit.functions) or 2 * unread(unit.root) <= len((unit.root.text or b"").split())


def find_weaknesses(unit: Unit, found: Weaknesses) -> None:
    """Add the weaknesses of a file to ``found``; of several at one place the surest stays."""

    def report(node: Node, pattern: str, message: str, level: Severity = "error") -> None:
        place = node.start_point[0] + 1, pattern
        said = level, " ".join(message.split())
        found[place] = min(found.get(place, said), said, key=_rank)

    unit.members, unit.ending = field_sizes(unit), ending_functions(unit)
    unit.open_ended, unit.layouts = open_ended_members(unit), layouts(unit)
    shared = _global_sizes(unit, array_sizes(unit, unit.root))
    sizes = {name: sizes_of(unit, function, shared) for name, function in unit.functions.items()}
    types, known, members, texts = SharedTypes(unit), summaries(unit), Members(unit), Texts(unit)
    outside: dict[tuple[str, int], Facts] = {}
    for _ in range(_ROUNDS):
        before = dict(outside)
        for name, function in unit.functions.items():
            flow = MemoryFlow(unit, function, report, FunctionContext(sizes[name], types, known, members))
            flow.run(_start(name, function, outside, types))
            outside.update(flow.passed)
        if outside == before:
            break
    unit.copying = wrappers.copying_functions(unit)
    passed = buffers.passed_lengths(unit, sizes)
    for name, function in unit.functions.items():
        buffers.look(unit, function, sizes[name], report, passed.get(name, {}), texts)
        known_lengths = Lengths(unit, function)
        loops.look(unit, function, sizes[name], report)
        late_bounds.look(unit, function, sizes[name], Types(types, function), report)
        escapes.look(unit, function, report)
        iteration_writes.look(unit, function, sizes[name], report)
        given_sizes.look(unit, function, report)
        ignored_sizes.look(unit, function, report)
        lengths.look(function, known_lengths, report)
        counted.look(function, known_lengths, sizes[name].arrays, report)
        terminators.look(unit, function, sizes[name], report)
    sinks.look(unit, texts, report)
    credentials.look(unit, report)


def _global_sizes(unit: Unit, shared: Sizes) -> Sizes:
    """Return the arrays that are declared outside functions."""
    names = {
        declared_name(declarator)
        for node in unit.root.named_children
        if node.type == "declaration"
        for _, _, declarator, _ in declarations(node)
    }
    return {name: size for name, size in shared.items() if name.removesuffix("[]") in names}


def _start(name: str, function: Node, outside: dict[tuple[str, int], Facts], types: SharedTypes) -> dict[str, Facts]:
    facts = {}
    for place, parameter in enumerate(parameters(function)):
        known = outside.get((name, place))
        if known is not None:
            kind = Types(types, function).variable(parameter.name)
            unsigned = kind is not None and not kind.signed
            facts[parameter.name] = replace(known, low=max(0, known.low or 0)) if unsigned else known
    return facts


def _as_asked(pattern: str, patterns: Collection[str] | None) -> str | None:
    if patterns is None or pattern in patterns:
        return pattern
    return next((one for one in _BOUNDS if one in patterns), None) if pattern in _BOUNDS else None


def _finding(path: str, line: int, pattern: str, message: str, level: Severity) -> Finding:
    known = PATTERNS[pattern]
    return Finding(path=path, line=line, pattern=pattern, cwe=known.cwe, message=message, severity=level, checker=_NAME)
