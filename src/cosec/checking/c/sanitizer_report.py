"""Read sanitizer reports: which of our patterns, at which line of the program.

Knows the messages of gcc's AddressSanitizer and UndefinedBehaviorSanitizer. Reports outside our patterns, such as a
division by zero, a memory leak or a stack overflow, are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cosec.checking.c.sanitizer_build import HARNESS, PROGRAM

BOUNDS = ("c/out-of-bounds-read", "c/out-of-bounds-write", "c/buffer-overflow")
"""Patterns of one event, an access outside an object."""

_UNDEFINED = re.compile(rf"^(?:\S*/)?({PROGRAM}|{HARNESS}):(\d+):(\d+): runtime error: (.*)", re.MULTILINE)
_ADDRESS = re.compile(r"ERROR: AddressSanitizer: (attempting [a-z-]+(?: on address which)?|[\w-]+)(.*)")
_FRAME = re.compile(rf"^ +#\d+ .*?(?:\S*/)?({PROGRAM}|{HARNESS}):(\d+)", re.MULTILINE)
_OVERFLOWS = (
    "integer overflow",
    "negation of",
    "left shift",
    "shift exponent",
    "cannot be represented",
    "outside the range of representable values",
)
_AFTER_FREE = {"heap-use-after-free", "attempting double-free", "stack-use-after-return", "stack-use-after-scope"}
_ZERO_PAGE = 0x10000


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One observed violation."""

    pattern: str

    line: int
    """1-based, in the program."""

    message: str
    """One sentence."""


def violations(report: str, program: str) -> list[Violation]:
    """Return the violations in a run's standard error, each pattern once a line, in order of time."""
    found = dict.fromkeys([*_undefined(report, program), *_address(report, program)])
    return list({(one.pattern, one.line): one for one in reversed(found)}.values())[::-1]


def _undefined(report: str, program: str) -> Iterator[Violation]:
    for file, line, column, message in _UNDEFINED.findall(report):
        if file == HARNESS:
            continue
        at = int(line)
        if "division by zero" in message:
            continue
        if "out of bounds" in message:
            pattern = BOUNDS[1] if _is_written(program, at, int(column)) else BOUNDS[0]
            yield Violation(pattern=pattern, line=at, message=f"Access out of bounds: {message}.")
        elif "variable length array bound" in message:
            yield Violation(pattern=BOUNDS[1], line=at, message=f"Array of impossible length: {message}.")
        elif "null pointer" in message:
            yield Violation(pattern="c/null-dereference", line=at, message=f"NULL is used: {message}.")
        elif any(text in message for text in _OVERFLOWS):
            yield Violation(pattern="c/integer-overflow", line=at, message=f"Arithmetic overflows: {message}.")


def _address(report: str, program: str) -> Iterator[Violation]:
    found = _ADDRESS.search(report)
    if found is None:
        return
    kind, rest, body = found[1], found[2], report[found.end() :]
    line, in_program = _line(body, program)
    written = "WRITE" in body[:400]
    if kind in _AFTER_FREE:
        message = "Memory is freed twice." if "double-free" in kind else "Memory is used after it was freed."
        yield Violation(pattern="c/use-after-free", line=line, message=message)
    elif "overflow" in kind or "underflow" in kind or kind == "negative-size-param":
        if kind in ("stack-overflow", "calloc-overflow", "reallocarray-overflow"):
            return
        written = written or kind == "negative-size-param"
        yield Violation(
            pattern=BOUNDS[written], line=line, message=f"{'Write' if written else 'Read'} outside an object."
        )
    elif kind == "SEGV" and in_program:
        address = re.search(r"address 0x([0-9a-f]+)", rest)
        if "zero page" in body[:400] or (address and int(address[1], 16) < _ZERO_PAGE):
            yield Violation(
                pattern="c/null-dereference", line=line, message="NULL is used as the address of an object."
            )
        else:
            yield Violation(pattern=BOUNDS[written], line=line, message="Access far outside any object.")


def _line(body: str, program: str) -> tuple[int, bool]:
    """Return the program's innermost line in the first stack with one, and whether that stack is the report's first.

    If a scenario's own source uses memory that the program freed, this is the line of the ``free``.
    """
    for number, stack in enumerate(re.split(r"\n\s*\n", body)):
        for file, line in _FRAME.findall(stack):
            if file == PROGRAM:
                return int(line), number == 0
    return max(1, program.count("\n")), False


def _is_written(program: str, line: int, column: int) -> bool:
    """Tell whether the array element at this bracket is assigned to."""
    lines = program.splitlines()
    text = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    text += "".join(lines[line : line + 2])
    while text.startswith("["):
        text = re.sub(r"^(\s*(\.|->)\s*\w+)*\s*", "", text[_past_bracket(text) :])
    return re.match(r"(=[^=]|[-+*/%&|^]=|<<=|>>=|\+\+|--)", text) is not None


def _past_bracket(text: str) -> int:
    """Return the position after the bracket that opens the text."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if depth == 0:
            return place + 1
    return len(text)
