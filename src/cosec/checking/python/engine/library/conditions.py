"""Facts that comparisons and tests show about their operands."""

from __future__ import annotations

import ast
import operator as operators
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from cosec.checking.python.engine.domain import alphabets
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.taints import any_taint
from cosec.checking.python.engine.domain.values import (
    EACH,
    MAC,
    NO_FACTS,
    SURROUNDINGS,
    Facts,
    Lineage,
    Scalar,
    Taint,
    Value,
    facts_for,
    join_all,
)
from cosec.checking.python.knowledge.cleaning import CHARACTER_TESTS, EXTERNAL_TEST, HARMLESS_PUNCTUATION
from cosec.checking.python.knowledge.dangers import CLIMBING, DANGERS, PATH

_SEPARATORS = ("/", "\\")
_SPLITS = ("split", ".parts", EACH)
_SEPARATED = ("replace:\\=/",)
_REPLACED = re.compile(r"replace:(.)=", re.DOTALL)


def compare(left: Value, operator: ast.cmpop, right: Value) -> Value:
    """Return the outcome of ``left operator right``."""
    if not any_taint():
        return Value(flags=frozenset({"number"}))
    if isinstance(operator, ast.In | ast.NotIn):
        true, false = _membership(left, right)
    elif isinstance(operator, ast.Eq | ast.Is | ast.NotEq | ast.IsNot):
        true, false = _equality(left, right)
    elif isinstance(operator, ast.LtE | ast.Lt) and not right.untrusted():
        true, false = facts_for(left.taints if left.flags & {"set"} else (), DANGERS), NO_FACTS
    else:
        return Value(flags=frozenset({"number"}))
    if isinstance(operator, ast.NotIn | ast.NotEq | ast.IsNot):
        true, false = false, true
    return Value(when_true=true, when_false=false, flags=frozenset({"number"}))


_ORDERED: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operators.lt,
    ast.LtE: operators.le,
    ast.Gt: operators.gt,
    ast.GtE: operators.ge,
    ast.Eq: operators.eq,
    ast.NotEq: operators.ne,
}


def constant_outcome(left: Scalar, operator: ast.cmpop, right: Scalar) -> bool | None:
    """Return the outcome of a comparison of two numbers or two texts that are known; None for any other."""
    compared = _ORDERED.get(type(operator))
    if compared is None or type(left) is not type(right) or not isinstance(left, int | float | str):
        return None
    return compared(left, right)


def _equality(left: Value, right: Value) -> tuple[Facts, Facts]:
    for one, other in ((left, right), (right, left)):
        if other.exact and len(other.constants) == 1:
            only = other.constants[0]
            if only is True:
                return one.when_true, one.when_false
            if only is None or only is False or only == -1:
                return one.when_false, one.when_true
            taints = one.all_taints()
            true = facts_for(taints, DANGERS) if isinstance(only, str | bytes | int) else NO_FACTS
            if only == "..":
                return true, _of_parts(taints, ("..",))
            return true | _checked_path(one, other), NO_FACTS
    true = _same_as_derived(left, right) | _same_as_derived(right, left)
    for one, other in ((left, right), (right, left)):
        if "mac" in one.flags:
            true |= mac_facts(one)
        elif one.taints and not other.untrusted():
            # Equal to a value that no outsider chose.
            true |= _checked_path(one, other) or facts_for(one.taints, DANGERS)
        elif one.taints:
            true |= _checked_path(one, other)
    return true, NO_FACTS


def _same_as_derived(value: Value, other: Value) -> Facts:
    """Return the facts from ``name == os.path.basename(name)``: the text lacks what the derived one lacks."""
    return frozenset(
        (taint.lineage, danger)
        for taint in value.taints
        for derived in other.taints
        if derived.source == taint.source and derived.lineage[: len(taint.lineage)] == taint.lineage
        for danger in (derived.neutral - taint.neutral) & DANGERS
    )


def independent(value: Value, other: Value) -> list[Taint]:
    """Return the taints of ``value`` that a check against ``other`` covers; no outsider may have chosen ``other``."""
    trusted = other.all_taints()
    if any(taint.source.kind not in {"parameter", "argv", *SURROUNDINGS} for taint in trusted):
        return []
    sources = {taint.source for taint in trusted}
    return [taint for taint in value.all_taints() if taint.source not in sources]


def _checked_path(value: Value, root: Value) -> Facts:
    """Return the facts from ``commonpath([path, root]) == root`` and ``path.parent == root``.

    ``commonprefix`` compares letters, so its root must end with a separator.
    """
    taints = independent(value, root)
    by_letters = "letters" in value.flags and not root.letters().endswith(_SEPARATORS)
    if value.flags & {"common", "parent"} and "normalised" in value.flags and not by_letters:
        return facts_for(_stripped(taints, ("common", ".parent", ".parents")), PATH)
    return facts_for(taints, {"absolute"}) if "common" in value.flags else NO_FACTS


def _stripped(taints: Iterable[Taint], steps: tuple[str, ...]) -> list[Taint]:
    found = []
    for taint in taints:
        lineage = taint.lineage
        while lineage and lineage[-1].startswith(steps):
            lineage = lineage[:-1]
        found.append(Taint(taint.source, lineage or taint.lineage, taint.neutral))
    return found


def _before_split(taints: Iterable[Taint]) -> list[Taint]:
    whole = _stripped(taints, _SPLITS)
    # More separators make more parts: a path without the part ".." had none before either.
    return [*taints, *whole, *_stripped(whole, _SEPARATED)]


def _of_parts(taints: Iterable[Taint], others: Collection[str]) -> Facts:
    """Return the facts about a text whose every part differs from ``others``; a text that is no part has more."""
    parts = [taint for taint in taints if taint.lineage[-1].startswith(_SPLITS)]
    found = facts_for(_before_split(parts), {"dots"})
    if "" in others:
        # The part before the first separator is not empty, unlike that of an absolute path.
        found |= facts_for(_before_split([taint for taint in parts if ".parts" not in taint.lineage]), {"absolute"})
    return found


def affirms(test: ast.expr) -> bool:
    """Tell whether a test says what a text is, without negation.

    Of several tests of what a text is not, one that is passed shows little: the others may fail.
    """
    negations = (ast.Not, ast.NotIn, ast.NotEq, ast.IsNot)
    return not any(isinstance(each, negations) for each in ast.walk(test))


def mac_facts(value: Value) -> Facts:
    """Return the facts about a message whose authentication code matched."""
    found: set[tuple[Lineage, str]] = set()
    for taint in value.taints:
        if MAC in taint.lineage:
            message = taint.lineage[: taint.lineage.index(MAC)]
            found |= {(message, danger) for danger in DANGERS}
    return frozenset(found)


def _membership(left: Value, right: Value) -> tuple[Facts, Facts]:
    right_taints = right.untrusted()
    if "parents" in right.flags and "normalised" in right.flags:
        return facts_for(_stripped(independent(right, left), (".parents",)), PATH), NO_FACTS
    if right_taints and (left.strings or not left.untrusted()):
        return NO_FACTS, _absence(left, right)
    taints = independent(left, right)
    if not taints:
        return NO_FACTS, NO_FACTS
    if right.strings and not right.holds:
        return facts_for(taints, alphabets.ruled_out(frozenset("".join(right.strings)))), _not_among(left, right)
    strings = [each for held in right.holds for item in held.items() for each in item.strings]
    if strings and all(len(each) == 1 for each in strings):
        allowed = alphabets.ruled_out(frozenset(strings))
        return facts_for(taints, allowed), facts_for(taints, [f"lacks {each}" for each in strings])
    return facts_for(taints, DANGERS), _of_parts(taints, strings) if ".." in strings else NO_FACTS


def _not_among(left: Value, right: Value) -> Facts:
    """Return the facts that no character is one of those in a text."""
    letters = sorted(set("".join(right.strings)))
    kinds = {f"lacks {each}" for each in letters} | alphabets.ruled_out_by_absence(letters)
    each = [taint for taint in left.taints if taint.lineage[-1] == EACH]
    return facts_for(each, kinds)


def _absence(left: Value, right: Value) -> Facts:
    """Return the facts about ``right`` if ``left`` is not in it."""
    taints = right.all_taints()
    strings = left.strings
    found: Facts = NO_FACTS
    if ".." in strings or "../" in strings:
        found |= facts_for(_before_split(taints), {"dots"})
    single = [each for each in strings if len(each) == 1]
    kinds = {f"lacks {each}" for each in single} | alphabets.ruled_out_by_absence(single)
    return found | facts_for(taints, kinds)


def of_call(site: CallSite) -> tuple[Facts, Facts]:
    """Return the facts after a call returned something true, and something false."""
    if not any_taint():
        return NO_FACTS, NO_FACTS
    method, receiver = site.method, site.receiver
    first = site.positional[0] if site.positional else None
    if site.called_last({"compare_digest", "constant_time_compare", "safe_str_cmp", "verify", "check_hash"}):
        return _vouched(site), NO_FACTS
    if (found := _of_text(site, first)) is not None:
        return found
    if method in {"issubset", "__contains__"} and first is not None:
        return _subset(method, receiver, first), NO_FACTS
    if method in {"all", "any"} and first is not None:
        element = join_all(item for held in first.holds for item in held.items())
        return (element.when_true, NO_FACTS) if method == "all" else (first.when_true, element.when_false)
    if method in {"match", "fullmatch", "search"}:
        return _regex(site)
    if method in {"bool", "str"} and first is not None:
        return first.when_true, first.when_false
    if EXTERNAL_TEST.search(method) or site.within("validators."):
        return facts_for(site.taints() | receiver.taints, DANGERS), NO_FACTS
    return NO_FACTS, NO_FACTS


def _of_text(site: CallSite, first: Value | None) -> tuple[Facts, Facts] | None:
    """Return the facts from methods of texts and paths; None for other calls."""
    method, receiver = site.method, site.receiver
    if method in CHARACTER_TESTS:
        return facts_for(_without_harmless_replacements(receiver.all_taints()), DANGERS), NO_FACTS
    if method == "isprintable":
        return facts_for(receiver.all_taints(), {"log"}), NO_FACTS
    if method in {"isabs", "is_absolute"}:
        tested = receiver if first is None else first
        return NO_FACTS, facts_for(tested.all_taints(), {"absolute"})
    if method == "startswith" and first is not None:
        return _prefix(receiver, first)
    if method == "is_relative_to" and first is not None:
        return facts_for(independent(receiver, first), PATH if "normalised" in receiver.flags else ()), NO_FACTS
    return None


def _vouched(site: CallSite) -> Facts:
    found = NO_FACTS
    for value in site.all_arguments():
        found |= mac_facts(value)
    if site.method == "verify" and site.receiver.names:
        found |= facts_for(site.taints(), {"deserialization"})
    return found


def _subset(method: str, receiver: Value, first: Value) -> Facts:
    if method == "issubset" and not first.untrusted():
        return facts_for(receiver.all_taints(), DANGERS)
    if method == "__contains__" and not receiver.untrusted():
        return facts_for(first.all_taints(), DANGERS)
    return NO_FACTS


def _without_harmless_replacements(taints: Iterable[Taint]) -> list[Taint]:
    """Return the taints of ``name`` for ``name.replace("_", "").isalnum()``."""
    found = []
    for taint in taints:
        lineage = taint.lineage
        while lineage and (match := _REPLACED.match(lineage[-1])) and match[1] in HARMLESS_PUNCTUATION:
            lineage = lineage[:-1]
        found.append(Taint(taint.source, lineage, taint.neutral))
    return found


def _prefix(receiver: Value, first: Value) -> tuple[Facts, Facts]:
    """Return the facts from ``receiver.startswith(first)``."""
    candidates = [item for held in first.holds for item in held.items()] or [first]
    strings = [each for one in candidates for each in one.strings]
    taints = receiver.all_taints()
    if "relative" in receiver.flags and any(each.startswith("..") for each in strings):
        return NO_FACTS, facts_for(_stripped(taints, ("relative",)), PATH)
    false = facts_for(taints, {"absolute"}) if "/" in strings else NO_FACTS
    if "-" in strings:
        false |= facts_for(taints, {"option"})
    if "normalised" in receiver.flags and ".." in strings:
        false |= facts_for(taints, {"dots"})
    if strings and all(len(each) < 2 for each in strings):
        return NO_FACTS, false
    checked = independent(receiver, first)
    if "normalised" not in receiver.flags:
        return facts_for(checked, {"absolute"}), false
    # Without a separator at its end, "/srv/files" is also the start of "/srv/files-of-others".
    whole = all(text.endswith(_SEPARATORS) for one in candidates for text in one.strings or (one.letters(),))
    return facts_for(checked, PATH) if whole else NO_FACTS, false


def _regex(site: CallSite) -> tuple[Facts, Facts]:
    """Return the facts from ``re.match(pattern, text)`` or ``pattern.match(text)``."""
    pattern, text, flags = regex_parts(site)
    if pattern is None or text is None:
        return NO_FACTS, NO_FACTS
    taints = text.all_taints()
    whole, starts = site.method == "fullmatch", site.method == "match"
    true = [alphabets.ruled_out_by_match(each, whole, flags, starts=starts) for each in pattern.strings]
    dangers = frozenset.intersection(*true) if true else frozenset()
    false: Facts = NO_FACTS
    if site.method == "search" and len(pattern.strings) == 1:
        forbidden = alphabets.single_class(pattern.strings[0], flags)
        if forbidden is not None:
            false = facts_for(taints, absent(forbidden))
        elif _finds_climbing(pattern.strings[0], flags):
            false = facts_for(taints, {"dots"})
    return facts_for(taints, dangers), false


def _finds_climbing(pattern: str, flags: int) -> bool:
    """Tell whether a search for ``pattern`` finds ``..`` wherever a path may have it."""
    try:
        return all(re.search(pattern, path, flags) for path in CLIMBING)
    except (re.error, OverflowError, RecursionError):
        return False


def absent(forbidden: frozenset[str]) -> frozenset[str]:
    """Return the dangers ruled out for text without any of the characters ``forbidden``."""
    lacking = {f"lacks {each}" for each in forbidden} if len(forbidden) < len(alphabets.UNIVERSE) / 2 else set()
    harmless = alphabets.ruled_out(alphabets.UNIVERSE - forbidden) | alphabets.ruled_out_by_absence(forbidden)
    return frozenset(harmless | lacking)


def is_compiled(value: Value) -> bool:
    """Tell whether it may be a compiled regular expression."""
    return "regex" in value.flags or "re.compile()" in value.names


def regex_parts(site: CallSite) -> tuple[Value | None, Value | None, int]:
    """Return pattern, text and flags of a call of a regular expression, compiled or not."""
    if is_compiled(site.receiver):
        return site.receiver, site.argument(0, "string"), _flags(site.receiver)
    if site.within("re.", "regex."):
        return site.argument(0, "pattern"), site.argument(1, "string"), _flags(site.argument(2, "flags"))
    return None, None, 0


def _flags(value: Value | None) -> int:
    if value is None:
        return 0
    found = 0
    for name in value.names:
        flag = getattr(re, name.removeprefix("re.").split("|", 1)[0], 0)
        found |= int(flag) if isinstance(flag, re.RegexFlag) else 0
    return found
