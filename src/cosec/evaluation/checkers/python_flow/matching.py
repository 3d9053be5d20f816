"""Patterns of ``match``: what a matched pattern shows of its subject, and the names that it binds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from cosec.evaluation.checkers.python_flow.assignment import bind as bind_name
from cosec.evaluation.checkers.python_flow.values import DANGERS, NO_FACTS, Facts, Value, facts_for

if TYPE_CHECKING:
    from cosec.evaluation.checkers.python_flow.analysis import Analysis


def facts(subject: Value, pattern: ast.pattern) -> Facts:
    """What is known once ``pattern`` matched ``subject``: a literal leaves nothing to an attacker."""
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


def irrefutable(pattern: ast.pattern) -> bool:
    """Whether ``pattern`` matches anything."""
    if isinstance(pattern, ast.MatchOr):
        return any(irrefutable(each) for each in pattern.patterns)
    return isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or irrefutable(pattern.pattern))


def bind(analysis: Analysis, subject: Value, pattern: ast.pattern) -> None:
    """Bind the names of ``pattern`` to parts of ``subject``."""
    if isinstance(pattern, ast.MatchAs | ast.MatchStar):
        if pattern.name:
            bind_name(analysis, pattern.name, subject)
        if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
            bind(analysis, subject, pattern.pattern)
    elif isinstance(pattern, ast.MatchSequence):
        for place, each in enumerate(pattern.patterns):
            bind(analysis, analysis.item_of(subject, place), each)
    elif isinstance(pattern, ast.MatchMapping):
        for key, each in zip(pattern.keys, pattern.patterns, strict=True):
            bind(analysis, analysis.item_of(subject, analysis.evaluate(key).constant), each)
    elif isinstance(pattern, ast.MatchClass):
        for each in [*pattern.patterns, *pattern.kwd_patterns]:
            bind(analysis, subject.step("match"), each)
    elif isinstance(pattern, ast.MatchOr):
        for each in pattern.patterns:
            bind(analysis, subject, each)
