"""py/regex-injection: untrusted text used as a regular expression."""

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.knowledge.sinks import PATTERNS
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/regex-injection"
_KINDS = frozenset({"remote", "input", "parameter", "download"})


def check(site: CallSite) -> None:
    """Look at one call."""
    row = matching(site, PATTERNS)
    if row is None or "regex" in site.receiver.flags:
        return
    if not site.within("re.") and "regex" not in site.analysis.program.imported:
        return
    for pattern in arguments(site, row):
        if "regex" in pattern.flags:
            return
        for taint in site.analysis.harmful(pattern, "regex", _KINDS):
            site.analysis.report(_PATTERN, site.node, "Untrusted text is used as a regular expression", taint.source)
            return
