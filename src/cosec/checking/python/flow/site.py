"""One call as the analysis sees it: what is called by which names, with which values."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cosec.checking.python.flow.values import UNKNOWN, Taint, Value, join_all

if TYPE_CHECKING:
    from cosec.checking.python.flow.analysis import Analysis


@dataclass(slots=True, kw_only=True)
class CallSite:
    """A call with its arguments evaluated."""

    analysis: Analysis
    node: ast.Call
    names: frozenset[str]
    """Dotted names of what is called: ``os.system``, ``sqlite3.connect().execute``."""

    method: str
    """The last part of its name."""

    receiver: Value
    """What stands before the last dot; unknown for a plain name."""

    is_method: bool
    """Whether it is called on a value rather than by a name or in a module."""

    positional: list[Value]
    named: dict[str, Value]
    rest: Value = field(default=UNKNOWN)
    """What ``*args`` and ``**options`` may hold beyond the arguments that are known one by one."""

    def argument(self, place: int | None, *names: str) -> Value | None:
        """The argument at a place or by one of ``names``; None where it was not given."""
        for name in names:
            if name in self.named:
                return self.named[name]
        if place is not None and place < len(self.positional):
            return self.positional[place]
        return None

    def all_arguments(self) -> list[Value]:
        """Every argument."""
        return [*self.positional, *self.named.values(), self.rest]

    def taints(self) -> frozenset[Taint]:
        """All that flows in through arguments."""
        return join_all(Value(taints=each.all_taints()) for each in self.all_arguments()).taints

    def called(self, *names: str) -> bool:
        """Whether it may be one of these dotted names."""
        return any(name in self.names for name in names)

    def called_last(self, names: Collection[str]) -> bool:
        """Whether the last part of its name is one of ``names``."""
        return self.method in names or any(name.rsplit(".", 1)[-1] in names for name in self.names)

    def within(self, *prefixes: str) -> bool:
        """Whether one of its names starts with one of ``prefixes``, such as ``subprocess.``."""
        return any(name.startswith(prefixes) for name in self.names)
