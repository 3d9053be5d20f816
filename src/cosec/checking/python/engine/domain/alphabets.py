"""The characters that a text can contain after a check, and the dangers that this rules out."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable
from typing import Any

from cosec.checking.python.engine.domain.regex_tree import codes, parse
from cosec.checking.python.knowledge.dangers import NEEDED, NO_DANGERS, PATH, TRAVERSALS

UNIVERSE = frozenset(string.printable) | {"\x00", "é", "中"}
"""Characters that stand for all others of their kind."""

_WORD = frozenset(each for each in UNIVERSE if each.isalnum() or each == "_")


def ruled_out(alphabet: frozenset[str]) -> frozenset[str]:
    """Return the dangers that text made of ``alphabet`` alone cannot have."""
    harmless = {danger for danger, needed in NEEDED.items() if not needed & alphabet}
    if not {"/", "\\"} & alphabet:
        harmless |= PATH
    elif "." not in alphabet:
        harmless.add("dots")
    if "\n" not in alphabet:
        harmless.add("log")
    return frozenset(harmless)


def ruled_out_by_absence(lacking: Iterable[str]) -> frozenset[str]:
    """Return the dangers that text without the characters ``lacking`` cannot have."""
    missing = frozenset(lacking)
    harmless = set()
    if "<" in missing:
        harmless.add("xss")
    if frozenset(";|&$`") <= missing:
        harmless.add("command")
    if "\n" in missing:
        harmless.add("log")
    if "/" in missing:
        harmless |= PATH
    return frozenset(harmless)


def ruled_out_by_match(pattern: str, whole: bool, flags: int = 0, *, starts: bool = False) -> frozenset[str]:
    """Return the dangers that text cannot have once ``pattern`` matched it.

    Args:
        pattern: A regular expression.
        whole: Whether the match must cover the whole text (``fullmatch``).
        flags: Flags of `re`.
        starts: Whether the match must begin where the text does (``match``).
    """
    try:
        compiled = re.compile(pattern, flags)
        tree = parse(pattern, flags)
    except (re.error, OverflowError, RecursionError, ValueError):
        return NO_DANGERS
    anchored = whole or ((starts or _starts(tree)) and _ends(tree))
    if not anchored or (flags & re.MULTILINE and not whole):
        return NO_DANGERS
    alphabet = _consumed(tree)
    harmless = set(ruled_out(alphabet))
    if "/" in alphabet and "." in alphabet:
        endings = ["", *re.findall(r"\\\.(\w{1,5})", pattern), *re.findall(r"[(|](\w{1,5})(?=[)|])", pattern)]
        probes = [attack + dot + end for attack in TRAVERSALS for end in endings for dot in ("", ".")]
        accept = [probe for probe in probes if compiled.fullmatch(probe)]
        if not any(".." in probe for probe in accept):
            harmless.add("dots")
        if not any(probe.startswith("/") for probe in accept):
            harmless.add("absolute")
    return frozenset(harmless)


def match_alphabet(pattern: str, flags: int = 0) -> frozenset[str]:
    """Return every character that a match of ``pattern`` can contain."""
    try:
        return _consumed(parse(pattern, flags))
    except (re.error, OverflowError, RecursionError, ValueError):
        return UNIVERSE


def single_class(pattern: str, flags: int = 0) -> frozenset[str] | None:
    """Return the characters of a pattern that consists of one class, repeated or not; None for other patterns."""
    try:
        tree = list(parse(pattern, flags))
    except (re.error, OverflowError, RecursionError, ValueError):
        return None
    while len(tree) == 1 and tree[0][0] in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.SUBPATTERN, codes.BRANCH}:
        code, argument = tree[0]
        if code is codes.BRANCH:
            classes = [_class_of(list(branch)) for branch in argument[1]]
            return None if None in classes else frozenset().union(*(each for each in classes if each is not None))
        tree = list(argument[-1])
    return _class_of(tree)


def _class_of(tree: list[Any]) -> frozenset[str] | None:
    if len(tree) == 1 and tree[0][0] in {codes.IN, codes.LITERAL, codes.NOT_LITERAL}:
        return _characters(*tree[0])
    return None


def _starts(tree: Any) -> bool:
    for code, argument in tree:
        if code is codes.AT:
            return argument in {codes.AT_BEGINNING, codes.AT_BEGINNING_STRING}
        if code is codes.SUBPATTERN:
            return _starts(argument[-1])
        if code is codes.ASSERT or code is codes.ASSERT_NOT:
            continue
        return False
    return False


def _ends(tree: Any) -> bool:
    last = list(tree)[-1:]
    if not last:
        return False
    code, argument = last[0]
    if code is codes.AT:
        return argument in {codes.AT_END, codes.AT_END_STRING}
    return code is codes.SUBPATTERN and _ends(argument[-1])


def _consumed(tree: Any) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for code, argument in tree:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT, codes.SUBPATTERN, codes.ATOMIC_GROUP}:
            found |= _consumed(argument if code is codes.ATOMIC_GROUP else argument[-1])
        elif code is codes.BRANCH:
            found = found.union(*(_consumed(branch) for branch in argument[1]))
        elif code in {codes.LITERAL, codes.NOT_LITERAL, codes.IN, codes.ANY}:
            found |= _characters(code, argument)
        elif code not in {codes.AT, codes.ASSERT, codes.ASSERT_NOT, codes.GROUPREF}:
            return UNIVERSE
    return found


_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    codes.CATEGORY_DIGIT: str.isdigit,
    codes.CATEGORY_NOT_DIGIT: lambda each: not each.isdigit(),
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    codes.CATEGORY_WORD: _WORD.__contains__,
    codes.CATEGORY_NOT_WORD: lambda each: each not in _WORD,
}


def _characters(code: Any, argument: Any) -> frozenset[str]:
    if code is codes.LITERAL:
        return frozenset({chr(argument)})
    if code is codes.NOT_LITERAL:
        return UNIVERSE - {chr(argument)}
    if code is codes.ANY:
        return UNIVERSE - {"\n"}
    found: set[str] = set()
    negated = False
    for kind, what in argument:
        if kind is codes.NEGATE:
            negated = True
        elif kind is codes.LITERAL:
            found.add(chr(what))
        elif kind is codes.RANGE:
            found |= {each for each in UNIVERSE if what[0] <= ord(each) <= what[1]}
        elif kind is codes.CATEGORY:
            found |= {each for each in UNIVERSE if _CATEGORIES[what](each)}
    return UNIVERSE - found if negated else frozenset(found)
