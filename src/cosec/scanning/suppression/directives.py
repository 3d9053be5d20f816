"""What a comment says about findings: ``cosec: ignore[CWE-089] reason``, and ``nosec`` as users of bandit know it.

``cosec: ignore`` names weaknesses by CWE or by pattern, or covers all if it has no brackets. ``nosec`` names CWEs,
patterns or tests of bandit after it; without any of these it covers all, as in bandit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

from cosec.checking.patterns import PATTERNS, related_cwes
from cosec.scanning.suppression.layout import Comment

_BANDIT_TESTS = {
    "CWE-022": "B202 tarfile_unsafe_members",
    "CWE-078": "B601 paramiko_calls B602 subprocess_popen_with_shell_equals_true "
    "B603 subprocess_without_shell_equals_true B604 any_other_function_with_shell_equals_true "
    "B605 start_process_with_a_shell B606 start_process_with_no_shell B607 start_process_with_partial_path "
    "B609 linux_commands_wildcard_injection",
    "CWE-079": "B701 jinja2_autoescape_false B702 use_of_mako_templates B703 django_mark_safe "
    "B704 markupsafe_markup_xss",
    "CWE-089": "B608 hardcoded_sql_expressions B610 django_extra_used B611 django_rawsql_used",
    "CWE-502": "B301 B302 B506 yaml_load B614 pytorch_load",
    "CWE-732": "B103 set_bad_file_permissions",
    "CWE-798": "B105 hardcoded_password_string B106 hardcoded_password_funcarg B107 hardcoded_password_default",
}

BANDIT_CWES = MappingProxyType({name: cwe for cwe, names in _BANDIT_TESTS.items() for name in names.split()})
"""The weakness that a test of bandit is about, by the test's id and name. Tests for which we have no pattern lack."""

_START = re.compile(r"(?:^|\#|//)\s*(?:cosec:\s*(?P<verb>\w+)|(?P<nosec>nosec\b:?))", re.IGNORECASE)
_NAMED = re.compile(r"\[(?P<names>[^\]]*)\](?P<reason>.*)")
_CWE = re.compile(r"CWE[-_ ]?(\d+)", re.IGNORECASE)
_ID = re.compile(r"CWE[-_ ]?\d+|\b(?:py|c)/[a-z-]+|\bB\d{3}\b", re.IGNORECASE)
_SHORT_NAMES = frozenset(name.partition("/")[2] for name in PATTERNS)
_TEST_NAMES = re.compile(r"(?:[a-z]+(?:_[a-z0-9]+)+\b[\s,]*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One suppression in a comment."""

    line: int
    """1-based."""

    names: tuple[str, ...] | None
    """CWEs (``CWE-089``) and ids of patterns whose findings it covers; None for all."""

    reason: str = ""
    """Why, in the author's words."""

    expected: bool = True
    """Whether it is reported when it covers no finding. A ``nosec`` may be meant for bandit alone."""

    problem: str | None = None
    """What is wrong with it; it covers nothing then."""

    def covers(self, name: str, pattern: str) -> bool:
        """Whether ``name``, one of its names, covers findings of a pattern."""
        return name == pattern or PATTERNS[pattern].cwe in related_cwes(name)


def directives_of(comment: Comment) -> Iterator[Directive]:
    """Read the suppressions in one line of a comment. It may hold others, such as ``noqa``, before or after them."""
    starts = list(_START.finditer(comment.text))
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(comment.text)
        rest = comment.text[start.end() : end].rstrip()
        if start["nosec"] is None:
            yield from _ignore(comment.line, start["verb"].lower(), rest)
        else:
            yield _nosec(comment.line, rest.split("#")[0].strip())


def _ignore(line: int, verb: str, rest: str) -> Iterator[Directive]:
    if verb != "ignore":
        if difflib.get_close_matches(verb, ["ignore"]) or rest.startswith("["):
            yield Directive(line=line, names=(), problem=_not_understood(verb + rest))
        return
    named = _NAMED.match(rest.lstrip())
    if named is None:
        if _may_name_weaknesses(rest):
            yield Directive(line=line, names=(), problem=_not_understood(f"ignore{rest}"))
        else:
            yield Directive(line=line, names=None, reason=_reason(rest.strip()))
        return
    names = tuple(dict.fromkeys(_normal(name.strip()) for name in named["names"].split(",") if name.strip()))
    known = {*PATTERNS, *(pattern.cwe for pattern in PATTERNS.values())}
    unknown = next((name for name in names if name not in known), None)
    if names and unknown is None:
        yield Directive(line=line, names=names, reason=_reason(named["reason"]))
    else:
        yield Directive(line=line, names=(), problem=_unknown(unknown, known))


def _may_name_weaknesses(rest: str) -> bool:
    """Whether what follows ``ignore`` begins with more than a reason, so that it must not cover all findings."""
    text = rest.lstrip(" \t:,;-")
    first = text.partition(" ")[0].rstrip(":,;")
    named = _ID.match(text) is not None or first.lower() in _SHORT_NAMES
    return named or rest[:1] in tuple("-([{") or first.startswith("[")


def _not_understood(text: str) -> str:
    return f"'cosec: {text}' is not understood; write 'cosec: ignore[CWE-089] reason'"


def _unknown(name: str | None, known: set[str]) -> str:
    if name is None:
        return "'cosec: ignore[]' names no weakness; write 'cosec: ignore[CWE-089] reason'"
    near = [] if _CWE.fullmatch(name) else difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"'cosec: ignore' names {name!r}, which no pattern looks for{hint}"


def _nosec(line: int, rest: str) -> Directive:
    tests = _TEST_NAMES.match(rest)
    words = [_normal(word) for word in [*_ID.findall(rest), *(re.split(r"[\s,]+", tests[0]) if tests else ())] if word]
    if not words:
        return Directive(line=line, names=None, reason=_reason(rest), expected=False)
    ours = any(word.startswith("CWE-") or word in PATTERNS for word in words)
    names = tuple(dict.fromkeys(BANDIT_CWES.get(word, word) for word in words))
    reason = _ID.sub("", rest.removeprefix(tests[0]) if tests else rest)
    return Directive(line=line, names=names, reason=_reason(reason), expected=ours)


def _normal(name: str) -> str:
    if (cwe := _CWE.fullmatch(name)) is not None:
        return f"CWE-{int(cwe[1]):03}"
    return name.upper() if re.fullmatch(r"b\d{3}", name) else name


def _reason(text: str) -> str:
    return text.strip(" ,").lstrip("-:").strip()
