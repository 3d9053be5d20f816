"""py/cross-site-scripting where a function makes markup of its parameters, and returns it or hands it on."""

from __future__ import annotations

import ast
import itertools
import re

from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.texts import HERE, TEXT_STEP
from cosec.checking.python.engine.domain.values import WHOLE, Taint, Value
from cosec.checking.python.knowledge.cleaning import ESCAPES, SANITISER
from cosec.checking.python.knowledge.pages import (
    CHANNELS,
    ESCAPED_RESULTS,
    MARKUP_NAMES,
    NUMBER_NAMES,
    STRUCTURE,
    TAG,
)

PATTERN = "py/cross-site-scripting"
"""Name of the pattern that findings carry."""

MESSAGE = "Untrusted text is put into a page without escaping"
"""What a finding says."""
_QUOTED = re.compile(r"""=\s*("[^"]*"|'[^']*')""")
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(["'][^"']*|[^\s"'>]*)$""")
_NAME = re.compile(r"'(\w+)'")
_CLEANED = re.compile(rf"^call:(encode$|.*({SANITISER.pattern}))", re.IGNORECASE)
"""The step to what a method of an unknown object makes of a text, if its name says that it escapes."""

_STEP = re.compile(r"\.(\w+)|\[(\w+)\]")


def check_handed_on(site: CallSite) -> None:
    """Look at markup that an entry point writes, sends or adds to what other functions see."""
    channel = CHANNELS.search(site.method) if site.is_method and site.analysis.frame.entry else None
    if channel is None or ((channel["adds"] or site.receiver.holds) and not _is_shared(site.node.func)):
        return
    for value in site.positional:
        check(site.analysis, value, site.node)


def _is_shared(function: ast.expr) -> bool:
    """Tell whether a method is one of ``object.attribute``, which other functions see."""
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Attribute)


def check_result(analysis: Analysis, value: Value, node: ast.Return | ast.Yield) -> None:
    """Look at markup that an entry point returns or yields."""
    function = analysis.frame.function
    if function is None or not function.decorated(*ESCAPED_RESULTS):
        check(analysis, value, node)


def check(analysis: Analysis, value: Value, node: ast.expr | ast.stmt) -> None:
    """Look at a text that leaves an entry point: markup made of its parameters."""
    if "markup" in value.flags:
        return
    tagged = TAG.search(value.letters()) is not None or any(map(_puts_between_tags, value.taints))
    escaped = {taint.source for taint in value.all_taints() if ESCAPES.intersection(taint.lineage)}
    for taint in analysis.harmful(value, "xss", frozenset({"parameter", "remote"})):
        if WHOLE not in taint.neutral or not (tagged or _puts_between_tags(taint)):
            continue
        if taint.source.kind != "parameter" or not _is_meant(taint, escaped=taint.source in escaped):
            analysis.report(PATTERN, node, MESSAGE, taint.source, severity="warning")
            return


def _text_steps(taint: Taint) -> list[str]:
    """Return what the last steps of a text put around it, the last one first."""
    last = itertools.takewhile(lambda step: step.startswith(TEXT_STEP), reversed(taint.lineage))
    return [step.removeprefix(TEXT_STEP) for step in last]


def _puts_between_tags(taint: Taint) -> bool:
    return any(TAG.search(step) for step in _text_steps(taint))


def _is_meant(taint: Taint, *, escaped: bool) -> bool:
    """Tell whether a parameter is likely to be what its caller writes: markup, a number, a name or the site's address.

    ``escaped`` tells whether the function escapes another item of it, as one does that shows numbers beside texts.
    """
    steps = _text_steps(taint)
    derived = [match[1] or match[2] for step in taint.lineage for match in [_STEP.fullmatch(step)] if match]
    names = [*_NAME.findall(taint.source.text)[:1], *derived]
    if any(map(_CLEANED.match, taint.lineage)):
        return True
    if any(map(MARKUP_NAMES.search, names)) or NUMBER_NAMES.search(names[-1] if names else ""):
        return True
    if steps and steps[-1].startswith(f"{HERE}/"):
        return True  # The address or folder under which something lies.
    around = next((step for step in reversed(steps) if TAG.search(step)), "")
    place = _place(around.partition(HERE)[0])
    return place in STRUCTURE or (escaped and not place)


def _place(before: str) -> str:
    """Return the name of the attribute whose value follows ``before``; ``<`` inside a tag, empty between tags."""
    tag = _QUOTED.sub("", before[before.rfind("<") :]) if "<" in before else ">"
    if ">" in tag:
        return ""
    attribute = _ATTRIBUTE.search(tag)
    return attribute[1].lower() if attribute else "<"
