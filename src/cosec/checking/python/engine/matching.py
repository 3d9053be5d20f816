"""Patterns of ``match``: the facts that a match shows about its subject, and the names that it binds."""

from __future__ import annotations

import ast

from cosec.checking.python.engine.assignment import bind as bind_name
from cosec.checking.python.engine.domain.protocol import Analysis
from cosec.checking.python.engine.domain.values import NO_FACTS, Facts, Value, facts_for
from cosec.checking.python.engine.library.attributes import item_of
from cosec.checking.python.knowledge.dangers import DANGERS


def facts(subject: Value, pattern: ast.pattern) -> Facts:
    """Return the facts after ``pattern`` matched ``subject``; a subject equal to a literal is harmless."""
    if isinstance(pattern, ast.MatchValue | ast.MatchSingleton):
        return facts_for(subject.all_taints(), DANGERS)
    if isinstance(pattern, ast.MatchOr):
        found = [facts(subject, each) for each in pattern.patterns]
        return frozenset.intersection(*found)
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        return facts(subject, pattern.pattern)
    if isinstance(pattern, ast.MatchClass) and isinstance(pattern.cls, ast.Name) and pattern.cls.id in {"int", "float"}:
        return facts_for(subject.all_taints(), DANGERS)
    return NO_FACTS


def outcome(subject: Value, pattern: ast.pattern) -> bool | None:
    """Tell whether a known number or text equals a literal of ``pattern``; None if it or the pattern is another."""
    if isinstance(pattern, ast.MatchOr):
        found = [outcome(subject, each) for each in pattern.patterns]
        return True if True in found else None if None in found else False
    if not isinstance(pattern, ast.MatchValue) or not isinstance(pattern.value, ast.Constant):
        return None
    known, literal = subject.constant, pattern.value.value
    return known == literal if type(known) is type(literal) and isinstance(known, int | float | str) else None


def irrefutable(pattern: ast.pattern) -> bool:
    """Tell whether ``pattern`` matches anything."""
    if isinstance(pattern, ast.MatchOr):
        return any(irrefutable(each) for each in pattern.patterns)
    return isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or irrefutable(pattern.pattern))


def bind(analysis: Analysis, subject: Value, pattern: ast.pattern) -> None:
    """Bind the names of ``pattern`` to parts of ``subject``."""
    if isinstance(pattern, ast.MatchAs | ast.MatchStar) and pattern.name:
        bind_name(analysis, pattern.name, subject)
    for value, each in _inside(analysis, subject, pattern):
        bind(analysis, value, each)


def _inside(analysis: Analysis, subject: Value, pattern: ast.pattern) -> list[tuple[Value, ast.pattern]]:
    """Return the patterns inside a pattern, each with the value it is matched against."""
    match pattern:
        case ast.MatchAs(pattern=ast.pattern() as inner):
            return [(subject, inner)]
        case ast.MatchSequence(patterns=inside):
            return [(item_of(subject, place), each) for place, each in enumerate(inside)]
        case ast.MatchMapping(keys=keys, patterns=inside):
            values = [item_of(subject, analysis.evaluate(key).constant) for key in keys]
            return list(zip(values, inside, strict=True))
        case ast.MatchClass(patterns=inside, kwd_patterns=named):
            return [(subject.step("match"), each) for each in [*inside, *named]]
        case ast.MatchOr(patterns=inside):
            return [(subject, each) for each in inside]
    return []
