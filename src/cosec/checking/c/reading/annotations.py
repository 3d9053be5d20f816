"""Macros of headers that are no C by themselves: ``ZEXPORT``, ``OF((int))``, ``G_BEGIN_DECLS``; blanked before parsing.

Two words beside each other are part of a declaration in C. One of them is the type, the last one the declared name;
any further word that is no keyword must be a macro.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'(?P<text>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|(?P<line>^[ \t]*#(?:\\\n|[^\n])*)|(?P<word>[A-Za-z_]\w*)|'
    r"(?P<number>\d[\w.]*)|(?P<space>\s+)|(?P<sign>.)",
    re.DOTALL | re.MULTILINE,
)


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_PRIMITIVE = _words("void char short int long float double signed unsigned _Bool bool size_t ssize_t")
_QUALIFIERS = _words(
    "const volatile static extern register inline restrict auto typedef _Noreturn __inline"
    " __inline__ __const __restrict __restrict__ __extension__ _Thread_local __thread __volatile__ __signed__"
)
_BLOCK = re.compile(r"Py_(BEGIN|END|UNBLOCK|BLOCK)_\w+$|[A-Z_]*(BEGIN|END)(_[A-Z_]+)?$")
_TAGS = frozenset({"struct", "union", "enum"})
_STATEMENTS = _words("if for while do switch return break continue goto")
_OTHERS = _words(
    "return if else for while do switch case default break continue goto sizeof defined asm __asm__ __asm"
    " __attribute__ __attribute __declspec _Alignof _Static_assert typeof __typeof__"
)

Word = tuple[str, str, int, int]
"""Kind, text, start and end of a token."""


def without_annotations(program: str) -> str:
    """Return the program with unknown annotations replaced by spaces."""
    found = [(one.lastgroup or "", one[0], one.start(), one.end()) for one in _TOKEN.finditer(program)]
    words = [one for one in found if one[0] not in ("space", "line")]
    blank: list[tuple[int, int]] = []
    _calls(words, blank)
    gone = {start for start, _ in blank}
    _runs([one for one in words if one[2] not in gone], blank)
    text = list(program)
    for start, end in blank:
        text[start:end] = [letter if letter == "\n" else " " for letter in text[start:end]]
    return "".join(text)


def _calls(words: list[Word], blank: list[tuple[int, int]]) -> None:
    """Find annotations with arguments outside functions: ``OF((...))``, ``API(int) f(``, ``f(void) NOTHROW;``."""
    depth, at, before, previous = 0, 0, ";", ";"
    while at < len(words):
        kind, text, start, end = words[at]
        depth = max(0, depth + (text == "{") - (text == "}"))
        before, previous = previous, text
        if depth or kind != "word" or text in _PRIMITIVE | _QUALIFIERS | _TAGS | _OTHERS:
            at += 1
            continue
        closing = _closing(words, at + 1)
        following = words[closing + 1][1] if closing is not None and closing + 1 < len(words) else ""
        if closing is None:
            if before == ")" and _text(words, at + 1) in (";", "{"):
                blank.append((start, end))
        elif _text(words, at + 2) == "(" and _closing(words, at + 2) == closing - 1 and _is_name(before):
            blank += [(start, words[at + 1][3]), (words[closing][2], words[closing][3])]
        elif before == ")" and following in (";", "{"):
            blank.append((start, words[closing][3]))
            at = closing
            previous = before
        elif before in (";", "}") and _ends(words, closing):
            inner = words[at + 2 : closing]
            if inner and all(one[1] in _PRIMITIVE | _QUALIFIERS | _TAGS | {"*"} or one[0] == "word" for one in inner):
                blank += [(start, words[at + 1][3]), (words[closing][2], words[closing][3])]
            else:
                blank.append((start, words[closing][3]))
            at = closing
            previous = before
        at += 1


def _ends(words: list[Word], closing: int) -> bool:
    """Tell whether a declaration of a function begins after a call at the start of a line."""
    kind, text, _, _ = words[closing + 1] if closing + 1 < len(words) else ("", "", 0, 0)
    if text in _QUALIFIERS | _TAGS:
        return True
    return kind == "word" and text not in _PRIMITIVE | _OTHERS and _text(words, closing + 2) == "("


def _runs(words: list[Word], blank: list[tuple[int, int]]) -> None:
    """Find words without arguments that stand beside a type."""
    at = 0
    while at < len(words):
        if words[at][0] != "word" or words[at][1] in _OTHERS:
            at += 1
            continue
        end = at
        while end < len(words) and (words[end][0] == "word" or words[end][1] == "*") and words[end][1] not in _OTHERS:
            end += 1
        if _text(words, end) in _STATEMENTS:
            blank += [(one[2], one[3]) for one in words[at:end] if one[1] not in _PRIMITIVE | _QUALIFIERS | _TAGS]
        else:
            _run(words[at:end], _text(words, end), blank)
        at = max(end, at + 1)


def _run(run: list[Word], following: str, blank: list[tuple[int, int]]) -> None:
    named = len(run) - (run[-1][0] == "word" and following in ("(", ";", "=", ",", ")", "[", ":", "{"))
    types, unknown = 0, list[Word]()
    tagged = False
    for number, word in enumerate(run):
        kind, text = word[0], word[1]
        if kind != "word":
            continue
        if _BLOCK.match(text) and number < len(run) - 1:
            blank.append((word[2], word[3]))
            continue
        if text in _TAGS:
            tagged, types = True, types + 1
            # A word before ``struct`` is no type.
            blank += [(one[2], one[3]) for one in unknown]
            unknown = []
        elif tagged:
            tagged = False
        elif text in _PRIMITIVE:
            types += 1
        elif text not in _QUALIFIERS and number < named:
            unknown.append(word)
    if types:
        blank += [(one[2], one[3]) for one in unknown]
    elif len(unknown) > 1:
        kept = max(unknown, key=lambda one: (not one[1].isupper(), one[2]))
        blank += [(one[2], one[3]) for one in unknown if one is not kept]


def _closing(words: list[Word], at: int) -> int | None:
    """Return the place of the bracket that closes the one at ``at``; None if there is none."""
    if _text(words, at) != "(":
        return None
    depth = 0
    for place in range(at, len(words)):
        depth += (words[place][1] == "(") - (words[place][1] == ")")
        if depth == 0:
            return place
        if words[place][1] in ("{", "}", ";"):
            return None
    return None


def _text(words: list[Word], at: int) -> str:
    return words[at][1] if 0 <= at < len(words) else ""


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", text) is not None and text not in _PRIMITIVE | _QUALIFIERS | _TAGS | _OTHERS
