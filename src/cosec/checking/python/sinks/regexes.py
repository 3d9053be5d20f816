"""py/regex-injection: untrusted text used as a regular expression."""

from cosec.checking.python.engine.domain.protocol import CallSite

PATTERN = "py/regex-injection"
FUNCTIONS = frozenset(
    {"compile", "match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn", "template"}
)
KINDS = frozenset({"remote", "input", "parameter", "download"})


def check(site: CallSite) -> None:
    """Look at one call."""
    if (
        site.method in FUNCTIONS
        and (site.within("re.") or (site.within("regex.") and "regex" in site.analysis.program.imported))
        and not site.receiver.flags & {"regex"}
    ):
        pattern = site.argument(0, "pattern")
        if pattern is None or "regex" in pattern.flags:
            return
        for taint in site.analysis.harmful(pattern, "regex", KINDS):
            site.analysis.report(PATTERN, site.node, "Untrusted text is used as a regular expression", taint.source)
            return
