"""The state of a run: names with their values, and facts from the checks that were passed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from cosec.checking.python.engine.domain.program import Function, Module
from cosec.checking.python.engine.domain.values import EACH, NO_FACTS, Facts, Lineage, Value, join

EXCEPTION = "<exception>"
"""The name under which a state keeps the exception that a handler handles."""


@dataclass(slots=True)
class State:
    """Names and facts at one point of a function."""

    names: dict[str, Value] = field(default_factory=dict)
    facts: Facts = NO_FACTS
    dead: bool = False
    """Whether this point is unreachable."""

    def copy(self) -> State:
        """Return an independent copy."""
        return State(dict(self.names), self.facts, self.dead)

    def become(self, other: State) -> None:
        """Take over another state; the dictionary of names stays the same object, as closures refer to it."""
        if other.names is not self.names:
            names = dict(other.names)
            self.names.clear()
            self.names.update(names)
        self.facts, self.dead = other.facts, other.dead


def join_states(
    states: list[State], *, lost_everywhere: bool = False, items: Collection[Lineage] = frozenset()
) -> State:
    """Return what is known of a state that is any one of ``states``.

    Facts that hold in some states only are kept inside the values that they are about, unless ``lost_everywhere``, and
    by names that are true in these states only: ``valid = True`` after a check. Facts about ``items``, the items of a
    loop that ends, are not kept by such names.
    """
    alive = [state for state in states if not state.dead] or states[:1]
    result = alive[0].copy()
    for state in alive[1:]:
        shared = result.facts & state.facts
        first_only = NO_FACTS if lost_everywhere else result.facts - shared
        second_only = NO_FACTS if lost_everywhere else state.facts - shared
        names: dict[str, Value] = {}
        for name in dict.fromkeys((*result.names, *state.names)):
            first, second = result.names.get(name), state.names.get(name)
            if first is None or second is None:
                only = first if second is None else second
                assert only is not None
                names[name] = only.baked(first_only if second is None else second_only)
            elif first is second and not (first.taints and (first_only or second_only)):
                names[name] = first
            else:
                joined = join(first.baked(first_only), second.baked(second_only))
                names[name] = _remembering(joined, (first, first_only), (second, second_only), items)
        result = State(names, shared)
    return result


def _remembering(
    joined: Value, first: tuple[Value, Facts], second: tuple[Value, Facts], items: Collection[Lineage]
) -> Value:
    """Return a joined value with the facts that its truth shows, as each value came with the facts of its state."""
    true = [value.when_true | facts for value, facts in (first, second) if not _is_surely(value, truth=False)]
    false = [value.when_false | facts for value, facts in (first, second) if not _is_surely(value, truth=True)]
    when_true = frozenset.intersection(*true) if true else NO_FACTS
    when_false = frozenset.intersection(*false) if false else NO_FACTS
    if not when_true and not when_false:
        return joined
    return joined.with_(when_true=without_items(when_true, items), when_false=without_items(when_false, items))


def _is_surely(value: Value, *, truth: bool) -> bool:
    """Tell whether a value is certainly true, or certainly false."""
    return value.exact and bool(value.constants) and all(bool(each) is truth for each in value.constants)


def element_facts(facts: Facts) -> Facts:
    """Return the facts about each item of an iterable, which hold for all items after a loop over it."""
    return frozenset((lineage, danger) for lineage, danger in facts if EACH in lineage)


def item_facts(facts: Facts, iterable: Value) -> Facts:
    """Return the facts about the items of ``(first, second)``, which hold for each of them after a loop over all.

    So do those about what the loop made of an item, such as a path.
    """
    if any(held.element is not None for held in iterable.holds):
        return NO_FACTS
    lineages = {taint.lineage for held in iterable.holds for each in held.items() for taint in each.taints}
    return frozenset(
        (lineage, danger)
        for lineage, danger in facts
        if any(lineage[:length] in lineages for length in range(1, len(lineage) + 1))
    )


def without_items(facts: Facts, items: Collection[Lineage]) -> Facts:
    """Return the facts about other texts than the items of an iterable and the text that they are parts of.

    What one item shows of other texts holds, whichever item it is.
    """
    return frozenset(
        (lineage, danger)
        for lineage, danger in facts
        if not any(each[: len(lineage)] == lineage[: len(each)] for each in items)
    )


@dataclass(slots=True)
class Frame:
    """One call of a function."""

    function: Function | None
    state: State
    module: Module
    """The file whose code runs."""

    scopes: tuple[dict[str, Value], ...] = ()
    """Names of enclosing functions, innermost first; the module's are looked up last."""

    returned: list[tuple[Value, State]] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    breaks: list[list[State]] = field(default_factory=list)
    """States at the ``break`` statements of each loop in progress."""

    continues: list[list[State]] = field(default_factory=list)
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    nested: list[Function] = field(default_factory=list)
    """Functions defined in it."""

    depth: int = 0
    """Number of branches around the current statement."""

    entry: bool = False
    """Whether it is an entry point: nothing in the file calls it."""

    handler: str = ""
    """The framework, for a function that answers requests."""
