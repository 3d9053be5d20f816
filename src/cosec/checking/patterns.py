"""The closed table of weaknesses that the checkers look for: pattern id → CWE, language, severity, harm, title.

Scenarios name these ids, checkers report them, and SARIF's rule descriptions are made from them. Which checker judges
which pattern is the checkers' own knowledge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Literal

from cosec.checking.finding import Severity

Language = Literal["py", "c"]
"""A language that checkers read, by its file name ending."""


def language_of(path: PurePath) -> Language | None:
    """Return the language of a file by its name; None for others.

    ``.PY`` is Python too, as file names on some systems are upper case. ``.C`` and ``.H`` are C++, as for gcc.
    """
    if path.suffix.lower() == ".py":
        return "py"
    return "c" if path.suffix in (".c", ".h") else None


@dataclass(frozen=True, slots=True)
class Pattern:
    """One weakness in one language."""

    id: str
    """``py/sql-injection``: language, slash, weakness."""

    cwe: str
    """``CWE-089``."""

    severity: Severity
    """The most severe level of its findings; the flow checker gives a finding that it cannot prove a lower one."""

    security_severity: float
    """The harm it does, 0 to 10, as code hosts show it (SARIF's ``security-severity``)."""

    title: str
    """What is wrong, in a few words."""

    @property
    def language(self) -> Language:
        """The language it is written in."""
        return "py" if self.id.startswith("py/") else "c"


_TABLE = (
    Pattern("py/sql-injection", "CWE-089", "error", 8.8, "SQL built from untrusted text"),
    Pattern("py/command-injection", "CWE-078", "error", 9.8, "Shell command built from untrusted text"),
    Pattern("py/path-traversal", "CWE-022", "error", 7.5, "File path built from untrusted text"),
    Pattern("py/archive-traversal", "CWE-022", "error", 7.5, "Archive unpacked without checking its members' paths"),
    Pattern("py/cross-site-scripting", "CWE-079", "error", 6.1, "Untrusted text in a page without escaping"),
    Pattern("py/template-without-escaping", "CWE-079", "warning", 6.1, "Template engine without automatic escaping"),
    Pattern("py/unsafe-deserialization", "CWE-502", "error", 9.8, "Untrusted data deserialised into objects"),
    Pattern("py/weak-file-permissions", "CWE-732", "warning", 7.8, "File that others may read or write"),
    Pattern("py/hardcoded-credentials", "CWE-798", "error", 9.8, "Credential written into the program"),
    Pattern("py/incomplete-host-check", "CWE-020", "warning", 7.8, "Host name checked by a pattern others can satisfy"),
    Pattern("py/log-injection", "CWE-117", "error", 7.8, "Untrusted text in a log without removing line breaks"),
    Pattern("py/regex-injection", "CWE-777", "error", 7.5, "Untrusted text used as a regular expression"),
    Pattern("c/out-of-bounds-read", "CWE-125", "error", 9.1, "Read outside an object"),
    Pattern("c/integer-overflow", "CWE-190", "error", 8.1, "Arithmetic that overflows"),
    Pattern("c/use-after-free", "CWE-416", "error", 9.3, "Memory used after it was freed"),
    Pattern("c/null-dereference", "CWE-476", "error", 7.5, "Pointer used without a check for NULL"),
    Pattern("c/out-of-bounds-write", "CWE-787", "error", 9.3, "Write outside an object"),
    Pattern("c/buffer-overflow", "CWE-119", "error", 9.3, "Access outside the bounds of a buffer"),
    Pattern("c/weak-file-permissions", "CWE-732", "warning", 7.8, "File that others may write"),
    Pattern("c/command-injection", "CWE-078", "error", 9.8, "Shell command built from untrusted text"),
    Pattern("c/path-traversal", "CWE-022", "error", 7.5, "File path built from untrusted text"),
    Pattern("c/sql-injection", "CWE-089", "error", 8.8, "SQL built from untrusted text"),
    Pattern("c/hardcoded-credentials", "CWE-798", "warning", 9.8, "Credential written into the program"),
)

PATTERNS: Mapping[str, Pattern] = MappingProxyType({pattern.id: pattern for pattern in _TABLE})
"""Every pattern by its id."""

_BOUNDS = frozenset({"CWE-119", "CWE-125", "CWE-787"})
"""CWE-119 is the parent of the other two and counts as either of them."""


def related_cwes(cwe: str) -> frozenset[str]:
    """Return the CWEs whose findings count as findings of ``cwe``: itself, and its parent or children among ours."""
    return _BOUNDS if cwe == "CWE-119" else frozenset({cwe, "CWE-119"} if cwe in _BOUNDS else {cwe})
