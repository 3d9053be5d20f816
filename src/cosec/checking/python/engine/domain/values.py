"""The abstract value of a Python expression: where its text came from, what it may be, what it holds.

A value is immutable. The containers and objects that it holds are `Held` objects, which can change and are shared by
all values that refer to them, as in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cosec.checking.python.engine.domain.taints import (
    CLOSED as CLOSED,
)
from cosec.checking.python.engine.domain.taints import (
    DECODED as DECODED,
)
from cosec.checking.python.engine.domain.taints import (
    EACH as EACH,
)
from cosec.checking.python.engine.domain.taints import (
    ENCODED as ENCODED,
)
from cosec.checking.python.engine.domain.taints import (
    LEADING as LEADING,
)
from cosec.checking.python.engine.domain.taints import (
    MAC as MAC,
)
from cosec.checking.python.engine.domain.taints import (
    NO_FACTS as NO_FACTS,
)
from cosec.checking.python.engine.domain.taints import (
    SURROUNDINGS as SURROUNDINGS,
)
from cosec.checking.python.engine.domain.taints import (
    WHOLE as WHOLE,
)
from cosec.checking.python.engine.domain.taints import (
    Facts as Facts,
)
from cosec.checking.python.engine.domain.taints import (
    Lineage as Lineage,
)
from cosec.checking.python.engine.domain.taints import (
    Source as Source,
)
from cosec.checking.python.engine.domain.taints import (
    Taint as Taint,
)
from cosec.checking.python.engine.domain.taints import (
    facts_for as facts_for,
)
from cosec.checking.python.engine.domain.taints import (
    limited as limited,
)

Scalar = str | bytes | int | float | bool | None
"""A literal."""

MAX_CONSTANTS = 40
"""Maximum number of literals of a value."""

MAX_DEPTH = 4
"""Maximum depth of nested containers that are searched."""


class Target:
    """A function or class of the file that a value may be; `program` defines the kinds."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Held:
    """A container or object that can change after it was made."""

    kind: str
    """``list``, ``tuple``, ``set``, ``dict``, ``instance``, ``generator``, ``response``, ``template``, …"""

    fields: dict[object, Value] = field(default_factory=dict)
    """Attributes by name, items by 1-tuples of the key."""

    element: Value | None = None
    """Any item, apart from those in ``fields``."""

    owner: object = None
    """The class of an instance (`program.Class`)."""

    depth: int = 0
    """Number of branches around its creation: a store at this depth replaces an item, a deeper one adds to it."""

    factory: Value | None = None
    """What makes the item of a missing key, as in ``defaultdict(list)``."""

    def items(self) -> list[Value]:
        """Return all items that it may hold, those known by key first."""
        known = [value for key, value in self.fields.items() if isinstance(key, tuple)]
        return known if self.element is None else [*known, self.element]

    def store(self, key: object, value: Value, depth: int) -> None:
        """Store ``value`` at an attribute or item."""
        before = self.fields.get(key)
        self.fields[key] = value if before is None or depth <= self.depth else join(before, value)

    def add(self, value: Value) -> None:
        """Add ``value`` at an unknown place."""
        self.element = value if self.element is None else join(self.element, value)

    def forget_places(self) -> None:
        """Forget which of its items is at which place."""
        for key in [key for key in self.fields if isinstance(key, tuple)]:
            self.add(self.fields.pop(key))


class Value(NamedTuple):
    """Everything known of a value; an empty one is unknown and harmless.

    A named tuple, as most of the time of an analysis is spent on making and comparing values.
    """

    taints: frozenset[Taint] = frozenset()
    constants: tuple[Scalar, ...] = ()
    """Literals that it may be."""

    exact: bool = False
    """Whether it is certainly one of ``constants``."""

    parts: tuple[Part, ...] = ()
    """The pieces of a text, if known."""

    names: frozenset[str] = frozenset()
    """Dotted names of what it may be outside this file: ``os.system``, ``sqlite3.connect().cursor()``."""

    targets: tuple[Target, ...] = ()
    """Functions and classes of this file that it may be."""

    holds: tuple[Held, ...] = ()
    flags: frozenset[str] = frozenset()
    """``normalised`` path, ``markup`` (escapes what is added), ``path``, ``mac``, ``bytes``, ``number``, …"""

    when_true: Facts = NO_FACTS
    when_false: Facts = NO_FACTS

    @property
    def constant(self) -> Scalar:
        """The only possible value, or None."""
        return self.constants[0] if self.exact and len(self.constants) == 1 else None

    @property
    def strings(self) -> tuple[str, ...]:
        """The possible values, if all are known texts; else empty."""
        texts = tuple(each for each in self.constants if isinstance(each, str))
        return texts if self.exact and len(texts) == len(self.constants) else ()

    def text(self) -> tuple[Part, ...]:
        """Return its pieces as text; a single unknown piece if they are not known."""
        if self.parts:
            return self.parts
        if self.exact and len(self.constants) == 1:
            only = self.constants[0]
            return (only.decode("latin-1") if isinstance(only, bytes) else str(only),)
        return (self.all_taints(),)

    def letters(self) -> str:
        """Return the known letters of the text, with U+0000 for unknown pieces."""
        return "".join(part if isinstance(part, str) else "\0" for part in self.text())

    def held(self, *kinds: str) -> list[Held]:
        """Return the containers of these kinds that it may be."""
        return [each for each in self.holds if each.kind in kinds]

    def all_taints(self, depth: int = MAX_DEPTH) -> frozenset[Taint]:
        """Return its own taints and those of everything it holds."""
        if depth == 0 or not self.holds:
            return self.taints
        gathered = [self.taints]
        gathered += [each.taints for each in _contents(self.holds, depth, CLOSED) if each.taints]
        return limited(frozenset().union(*gathered))

    def tainted(self, depth: int = MAX_DEPTH) -> bool:
        """Tell whether `all_taints` are any."""
        if self.taints or depth == 0 or not self.holds:
            return bool(self.taints)
        return any(each.taints for each in _contents(self.holds, depth))

    def with_(self, **changes: object) -> Value:
        """Return a copy with ``changes``."""
        return self._replace(**changes)  # type: ignore[arg-type]

    def untrusted(self) -> frozenset[Taint]:
        """Return the taints of text that others chose, without the program's own surroundings."""
        return frozenset(taint for taint in self.all_taints() if taint.source.kind not in SURROUNDINGS)

    def step(self, name: str) -> Value:
        """Return a text derived from this one."""
        return Value(taints=frozenset(taint.step(name) for taint in self.all_taints()))

    def without(self, dangers: Iterable[str]) -> Value:
        """Return a copy without ``dangers``."""
        removed = frozenset(dangers)
        return self.mapped(lambda taint: taint.without(removed)) if self.tainted() else self

    def baked(self, facts: Facts) -> Value:
        """Return a copy that keeps what ``facts`` say of it after they no longer hold."""
        if not facts or not self.taints:
            return self
        return self.mapped(lambda taint: taint.without(taint.held_harmless(facts)))

    def mapped(self, change: Callable[[Taint], Taint], depth: int = MAX_DEPTH) -> Value:
        """Return a copy with every taint changed, including those of the values it holds."""
        if depth == 0:
            return self
        return self._replace(
            taints=frozenset(change(taint) for taint in self.taints),
            parts=tuple(
                part if isinstance(part, str) else frozenset(change(taint) for taint in part) for part in self.parts
            ),
            holds=tuple(_mapped_held(held, change, depth) for held in self.holds),
        )


Part = str | frozenset[Taint]
"""A piece of text: known letters, or the taints of an unknown part."""

UNKNOWN = Value()
"""A value of which nothing is known; it is taken to be harmless."""


def _contents(holds: Iterable[Held], depth: int, closed: frozenset[str] = frozenset()) -> Iterator[Value]:
    """Yield the values in containers, down to ``depth`` of them inside each other.

    Each container is read once, at its smallest depth: there are more ways to a container than containers.
    """
    seen: set[Held] = set()
    for _ in range(depth):
        deeper: list[Held] = []
        for held in holds:
            if held in seen or held.kind in closed:
                continue
            seen.add(held)
            for each in held.fields.values():
                yield each
                deeper += each.holds
            if held.element is not None:
                yield held.element
                deeper += held.element.holds
        holds = deeper


def _mapped_held(held: Held, change: Callable[[Taint], Taint], depth: int) -> Held:
    if held.kind == "instance" or held.kind in CLOSED:
        return held
    return Held(
        held.kind,
        {key: each.mapped(change, depth - 1) for key, each in held.fields.items()},
        None if held.element is None else held.element.mapped(change, depth - 1),
        held.owner,
        held.depth,
        held.factory,
    )


def constant(value: Scalar) -> Value:
    """Return a value that is known exactly."""
    return Value(constants=(value,), exact=True, parts=(value,) if isinstance(value, str) else ())


def outside(*names: str) -> Value:
    """Return a value that is defined outside this file."""
    return Value(names=frozenset(names))


def holding(held: Held) -> Value:
    """Return a value that is this container."""
    return Value(holds=(held,))


def join(first: Value, second: Value) -> Value:
    """Return what is known of a value that is one or the other."""
    if first is second or first == second:
        return first
    merged = {(type(each), each): each for each in (*first.constants, *second.constants)}
    return Value(
        taints=limited(first.taints | second.taints),
        constants=tuple(merged.values())[:MAX_CONSTANTS],
        exact=first.exact and second.exact and len(merged) <= MAX_CONSTANTS,
        parts=_joined_parts(first, second),
        names=frozenset(sorted(first.names | second.names)[:12]),
        targets=tuple(dict.fromkeys((*first.targets, *second.targets)))[:8],
        holds=tuple(dict.fromkeys((*first.holds, *second.holds)))[:12],
        flags=_joined_flags(first, second),
        when_true=first.when_true & second.when_true,
        when_false=first.when_false & second.when_false,
    )


def join_all(values: Iterable[Value]) -> Value:
    """Return what is known of a value that is any of ``values``; unknown if there are none."""
    joined: Value | None = None
    for value in values:
        joined = value if joined is None else join(joined, value)
    return UNKNOWN if joined is None else joined


def _joined_parts(first: Value, second: Value) -> tuple[Part, ...]:
    if first.parts == second.parts:
        return first.parts
    for value, other in ((first, second), (second, first)):
        if value.parts and value.taints:
            taints = limited(frozenset().union(*(part for part in value.parts if not isinstance(part, str))))
            # Text composed from these pieces must not lose the taints of the other value.
            missing = other.taints - taints
            return value.parts if not missing else ()
    return ()


def _is_number(value: Value) -> bool:
    return value.exact and all(isinstance(each, int | float) for each in value.constants)


def _joined_flags(first: Value, second: Value) -> frozenset[str]:
    if first.flags == second.flags:
        return first.flags
    if all("number" in each.flags or _is_number(each) for each in (first, second)):
        return first.flags & second.flags | {"number"}
    if not first.tainted():
        return second.flags if second.tainted() else first.flags & second.flags
    if not second.tainted():
        return first.flags
    return first.flags & second.flags
