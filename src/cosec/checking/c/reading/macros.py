"""Macros of a C file, and their expansion as the preprocessor does it; lines stay where they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|\s+|##|.', re.DOTALL
)
_WORD = re.compile(r"[A-Za-z_]\w*")
_HEAD = re.compile(r"\s*([A-Za-z_]\w*)(\(([^()]*)\))?(.*)", re.DOTALL)
_MOST_TOKENS = 400_000
"""Tokens that the expansions of one file may have; later macros stay as they are."""

KEPT = frozenset({"NULL", "true", "false", "bool"})
"""Names that are not expanded, as other modules know them."""

Token = tuple[str, frozenset[str]]
"""A token and the macros that it came from, which are not expanded again in it."""


@dataclass(frozen=True, slots=True)
class Macro:
    """The definition of one macro."""

    parameters: tuple[str, ...] | None
    """None for a macro without parentheses."""

    body: tuple[str, ...]
    """Its tokens."""


def tokens(text: str) -> list[str]:
    """Return the tokens of C text; white space is a token."""
    return _TOKEN.findall(text)


def definition(rest: str) -> tuple[str, Macro] | None:
    """Read what follows ``#define``: the name and the macro; None if it is malformed."""
    found = _HEAD.fullmatch(rest)
    if found is None:
        return None
    parameters = None
    if found[2] is not None:
        listed = [one.strip() for one in found[3].split(",") if one.strip()]
        parameters = tuple("__VA_ARGS__..." if one == "..." else one for one in listed)
    return found[1], Macro(parameters, tuple(tokens(found[4].strip())))


class Expander:
    """The macros that are defined at one place of a file."""

    def __init__(self) -> None:
        self.macros: dict[str, Macro] = {}
        self._left = _MOST_TOKENS

    def expand(self, text: str) -> str:
        """Return the text with all macros expanded; each line keeps its number."""
        names = self.macros.keys() - KEPT
        if names.isdisjoint(_WORD.findall(text)):
            return text
        nothing = frozenset[str]()
        return "".join(token for token, _ in self._expanded([(one, nothing) for one in tokens(text)]))

    def _expanded(self, given: list[Token]) -> list[Token]:
        waiting, done = given[::-1], []
        while waiting:
            token, hidden = waiting.pop()
            macro = self.macros.get(token)
            if macro is None or token in hidden or token in KEPT or self._left <= 0:
                done.append((token, hidden))
                continue
            hidden = hidden | {token}
            if macro.parameters is None:
                body: list[Token] = [(one, hidden) for one in macro.body]
            else:
                taken = _arguments(waiting)
                if taken is None:
                    done.append((token, hidden))
                    continue
                given_arguments, lines = taken
                body = [(one, own | hidden) for one, own in self._substituted(macro, given_arguments)]
                if lines:
                    body.append(("\n" * lines, hidden))
            self._left -= len(body) + 1
            waiting += body[::-1]
        return done

    def _substituted(self, macro: Macro, given: list[list[Token]]) -> list[Token]:
        names = macro.parameters or ()
        if names and names[-1].endswith("...") and len(given) >= len(names):
            rest: list[Token] = []
            for one in given[len(names) - 1 :]:
                rest += [*([(",", frozenset[str]())] if rest else []), *one]
            given = [*given[: len(names) - 1], rest]
        values = {name.removesuffix("..."): list[Token]() for name in names}
        values |= {name.removesuffix("..."): one for name, one in zip(names, given, strict=False)}
        body, done, at = macro.body, list[Token](), 0
        while at < len(body):
            token = body[at]
            if token == "#" and macro.parameters is not None and at + 1 < len(body) and body[at + 1] in values:
                done.append((_quoted(values[body[at + 1]]), frozenset()))
                at += 2
                continue
            if token == "##":
                at = _paste(body, at, values, done)
                continue
            pasted = body[at + 1 : at + 2] == ("##",) or body[at + 2 : at + 3] == ("##",)
            if token in values:
                done += values[token] if pasted else self._expanded(values[token])
            else:
                done.append((token, frozenset()))
            at += 1
        return done


def _paste(body: tuple[str, ...], at: int, values: dict[str, list[Token]], done: list[Token]) -> int:
    """Join what stands on both sides of ``##``; return the place after it."""
    at += 1
    while at < len(body) and body[at].isspace():
        at += 1
    while done and done[-1][0].isspace():
        done.pop()
    if at >= len(body):
        return at
    right = [one for one in values.get(body[at], [(body[at], frozenset())]) if not one[0].isspace()]
    if right and done and _WORD.fullmatch(done[-1][0]) and re.match(r"\w", right[0][0]):
        done[-1] = (done[-1][0] + right[0][0], frozenset())
        right = right[1:]
    elif not right and done and done[-1][0] == ",":
        done.pop()
    done += right
    return at + 1


def _quoted(argument: list[Token]) -> str:
    content = " ".join("".join(token for token, _ in argument).split())
    return '"' + content.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arguments(waiting: list[Token]) -> tuple[list[list[Token]], int] | None:
    """Take the arguments of a call from the tokens that follow; None if none follow.

    Also returns the number of line ends among them.
    """
    at = len(waiting) - 1
    while at >= 0 and waiting[at][0].isspace():
        at -= 1
    if at < 0 or waiting[at][0] != "(":
        return None
    depth, given, start = 0, [list[Token]()], at
    while at >= 0:
        token = waiting[at][0]
        depth += (token in "([{") - (token in ")]}")
        if depth == 0:
            break
        if token == "," and depth == 1:
            given.append([])
        elif at != start:
            given[-1].append(waiting[at])
        at -= 1
    else:
        return None
    lines = sum(token.count("\n") for token, _ in waiting[at:])
    del waiting[at:]
    flat = [[(" ", hidden) if token.isspace() else (token, hidden) for token, hidden in one] for one in given]
    return flat, lines
