"""py/incomplete-host-check: a test of an address that an attacker's host passes.

The program's own test is tried on addresses of other hosts. One that passes proves the test incomplete.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from cosec.checking.python.engine.domain.protocol import Analysis, CallSite
from cosec.checking.python.engine.domain.values import Value
from cosec.checking.python.engine.library import conditions

_PATTERN = "py/incomplete-host-check"
_MESSAGE = "An attacker's host name can pass this check"
_TOP_LEVEL = (
    r"(com|org|net|io|edu|gov|co|dev|app|de|uk|fr|eu|us|info|biz|me|tv|ai|cloud|example|test|local|internal|localhost|ch|at|nl|it|"
    r"es|jp|cn|ru|br|in|au|ca|site|online|shop|store|tech|xyz|int|mil|lan|corp|intranet|invalid)"
)
_DOMAIN = re.compile(rf"(?:[a-z0-9-]+\.)+{_TOP_LEVEL}(?![a-z0-9_-])", re.IGNORECASE)
_SUBJECT = re.compile(
    r"url|uri|host|domain|origin|refer|target|link|redirect|next|callback|netloc|dest|goto|return_to|site|server|addr",
    re.IGNORECASE,
)
_ALLOWED = re.compile(r"host|domain|origin|site|base_?url|server|trusted|allow", re.IGNORECASE)
"""Names of settings that hold a host."""

_FROM_OTHERS = re.compile(r"origin|refer|redirect|next_|callback|return_to|goto", re.IGNORECASE)
_DECIDES = re.compile(r"safe|allow|valid|trust|permit|accept|verif|authori|whitelist|same_origin|ours\b", re.IGNORECASE)
_HOST_STEPS = (".netloc", ".hostname", ".host", "netloc", "hostname")
_HOST_NAME = re.compile(r"host|netloc|domain|\.r?split\(")
_OPEN_PATTERN = re.compile(r"^\^?https?\??:.*\0$")
"""Letters of a pattern of addresses that ends with an unknown host."""

_EVIL = "evil.net"


def check(site: CallSite) -> None:
    """Look at one call."""
    analysis, node = site.analysis, site.node
    if (
        site.method in {"startswith", "endswith", "find", "index", "count", "rfind"}
        and site.is_method
        and site.positional
    ):
        first = site.positional[0]
        texts = first.strings or tuple(each for held in first.holds for item in held.items() for each in item.strings)
        subject = node.func.value if isinstance(node.func, ast.Attribute) else node
        for text in texts:
            _try(analysis, node, subject, site.receiver, text, _text_test(site.method, text))
        if not texts and node.args:
            _open_ended(analysis, node, (subject, site.receiver), site.method, (node.args[0], first))
    elif site.method in {"match", "search", "fullmatch", "findall"}:
        _regex(site)


def _text_test(method: str, text: str) -> Callable[[str], bool]:
    if method == "startswith":
        return lambda probe: probe.startswith(text)
    if method == "endswith":
        return lambda probe: probe.endswith(text)
    return lambda probe: text in probe


def check_comparison(analysis: Analysis, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
    """Look at ``"example.com" in address``."""
    if not isinstance(kind, ast.In | ast.NotIn) or right.holds:
        return
    subject = node.comparators[0]
    for text in left.strings:
        _try(analysis, node, subject, right, text, _text_test("in", text))
    if not left.strings:
        _open_ended(analysis, node, (subject, right), "in", (node.left, left))


def _open_ended(
    analysis: Analysis,
    node: ast.expr,
    tested: tuple[ast.expr, Value],
    method: str,
    allowed: tuple[ast.expr, Value],
) -> None:
    """Look at a test against a host that the program's settings name: does it end at a dot or a slash?"""
    (subject, value), (allowed_node, text) = tested, allowed
    name = " ".join([ast.unparse(allowed_node), *(taint.source.text for taint in text.taints)])
    if not value.untrusted() or text.untrusted():
        return
    steps = {step for taint in value.untrusted() for step in taint.lineage}
    host = bool(steps & set(_HOST_STEPS))
    if not host and not (_SUBJECT.search(ast.unparse(subject)) and _ALLOWED.search(name)):
        return
    items = [item for held in text.holds for item in held.items()] or [text]
    if method == "endswith":
        closed = not host or "suffix" in name.lower() or all(item.letters().startswith(".") for item in items)
    elif method == "startswith":
        closed = host or all(item.letters().endswith("/") for item in items)
    else:
        closed = bool(text.holds) or not _ALLOWED.search(name)
    if not closed:
        analysis.report(_PATTERN, node, _MESSAGE)


def _pattern_test(compiled: re.Pattern[str], method: str) -> Callable[[str], bool]:
    return lambda probe: bool(getattr(compiled, method)(probe))


def _regex(site: CallSite) -> None:
    pattern, text, flags = conditions.regex_parts(site)
    if pattern is None or text is None:
        return
    named = {each.arg: each.value for each in site.node.keywords}
    subject = named.get("string") or next(reversed(site.node.args), site.node)
    if site.method == "match" and _OPEN_PATTERN.match(pattern.letters()) and not pattern.strings:
        written = named.get("pattern") or next(iter(site.node.args), site.node)
        _open_ended(site.analysis, site.node, (subject, text), "startswith", (written, pattern))
    for each in pattern.strings:
        try:
            compiled = re.compile(each, flags)
        except (re.error, OverflowError, RecursionError):
            continue
        if len(each) > 200:
            continue
        _try(site.analysis, site.node, subject, text, each, _pattern_test(compiled, site.method))


def _try(
    analysis: Analysis, node: ast.expr, subject: ast.expr, value: Value, text: str, accepts: Callable[[str], bool]
) -> None:
    plain = re.sub(r"\\(.)", r"\1", re.sub(r"\(\?:?|[()?^$]", "", text))
    domain = _DOMAIN.search(plain)
    if domain is None or text.startswith("@"):
        return
    if not value.taints and not _guards(analysis, ast.unparse(subject)):
        return
    name = domain[0].lstrip(".-")
    words = set(re.findall(r"[a-z0-9]{2,}", plain.lower())) | {"www", "a"}
    kind = _subject_kind(subject, value)
    tried = probes(name, kind, words)
    ends = ("", "/", "/a", plain[domain.end() :])
    if kind != "host" and any(accepts(f"{name}{end}") for end in ends):
        # The address may come without a scheme.
        tried += [f"{host}{end}" for host in probes(name, "host", words) for end in ends]
    if any(accepts(probe) for probe in tried):
        analysis.report(_PATTERN, node, _MESSAGE)


def _guards(analysis: Analysis, subject: str) -> bool:
    """Tell whether a test of text of unknown origin decides what is allowed, rather than what to do with an address."""
    if analysis.entry_points == "all" or _FROM_OTHERS.search(subject):
        return bool(_SUBJECT.search(subject))
    function = analysis.frame.function
    return bool(_SUBJECT.search(subject)) and function is not None and bool(_DECIDES.search(function.name))


def _subject_kind(subject: ast.expr, value: Value) -> str:
    name = ast.unparse(subject).lower()
    steps = [step for taint in value.taints for step in taint.lineage]
    if any(step in _HOST_STEPS or step == "split" for step in steps) or _HOST_NAME.search(name):
        return "host"
    return "origin" if "origin" in name else "address"


def probes(domain: str, kind: str, words: set[str]) -> list[str]:
    """Return addresses or hosts outside ``domain`` that an incomplete test takes for it.

    Args:
        domain: Such as ``www.example.com``.
        kind: ``host``, ``origin`` (scheme and host) or ``address``.
        words: Other names in the test, such as ``www``.
    """
    dots = [place for place, letter in enumerate(domain) if letter == "."]
    disguised = [f"{domain[:place]}x{domain[place + 1 :]}" for place in dots]
    disguised += [f"{word}x{domain}" for word in words if not domain.startswith(word)]
    # A domain with another character in place of a dot belongs to others only if its end changed.
    hosts = [f"{domain}.{_EVIL}", f"evil{domain}", *disguised]
    hosts += [f"{word}.{domain}.{_EVIL}" for word in words] + [f"{word}.evil{domain}" for word in ("www",)]
    hosts = [host for host in hosts if not host.endswith(f".{domain}") and host != domain]
    if kind == "host":
        return hosts
    schemes = ("https://", "http://")
    found = [f"{scheme}{host}{tail}" for scheme in schemes for host in hosts for tail in ("", "/", "/a", ":443/")]
    if kind == "origin":
        return found
    ends = [
        f"{domain}@{_EVIL}/",
        f"{domain}:a@{_EVIL}/",
        f"{_EVIL}/{domain}",
        f"{_EVIL}/{domain}/",
        f"{_EVIL}/?u={domain}",
    ]
    ends += [f"{_EVIL}/.{domain}", f"{_EVIL}/.{domain}/", f"{_EVIL}/a.{domain}/", f"{_EVIL}#{domain}/"]
    ends += [f"{_EVIL}/?u={scheme}{domain}/" for scheme in schemes]
    ends += [f"{_EVIL}/{word}.{domain}/" for word in words]
    return found + [scheme + end for scheme in schemes for end in ends]
