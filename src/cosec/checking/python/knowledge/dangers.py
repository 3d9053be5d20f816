"""In what respects text can be harmful, and the characters that each kind of harm needs."""

DANGERS = frozenset({"sql", "command", "option", "dots", "absolute", "xss", "deserialization", "log", "regex"})
"""Every danger.

A path has two: climbing with ``..`` (``dots``), and starting anew at the root (``absolute``). A word that starts with
a dash is an ``option`` of the program that gets it.
"""

PATH = frozenset({"dots", "absolute"})
"""The dangers of a path."""

NO_DANGERS: frozenset[str] = frozenset()
"""The empty set, typed."""

NEEDED: dict[str, frozenset[str]] = {
    "sql": frozenset("'\"`;()=\\ \t\n,#*/"),
    "option": frozenset("-"),
    "command": frozenset(";|&$`\n<>()"),
    "xss": frozenset("<\"'"),
    "deserialization": frozenset("'\"`;()=\\ \t\n!<>{}[]"),
    "regex": frozenset("()[]{}*+?|\\^$"),
}
"""Danger -> characters. Text without any of these characters is harmless in that respect."""

CLIMBING = ("../x", "a/../../x", "./../x", "/../x")
"""Paths with ``..`` at different places: probes for a search that refuses them."""

TRAVERSALS = ("..", "../x", "/etc/passwd", "a/../../x", "./../x", "/../x", "a/..")
"""Paths that leave the folder they are joined to: probes for a regular expression that checks a path."""
