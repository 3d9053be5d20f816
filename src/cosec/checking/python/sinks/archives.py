"""py/archive-traversal: members of an archive unpacked without a check of their paths."""

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import EACH, Value

_PATTERN = "py/archive-traversal"
_TRUSTING = frozenset({"fully_trusted"})
_MESSAGE = "An archive is unpacked without checking its members' paths"


def check(site: CallSite) -> None:
    """Look at one call."""
    if site.method in {"extractall", "_extract_member"} and site.is_method:
        if not _is_zip(site.receiver) and not _filtered(site):
            members = site.argument(1, "members")
            checked = members if members is not None and (members.holds or members.taints) else None
            _report(site, _any_member(site.receiver) if checked is None or checked.flags & {"archive"} else checked)
    elif site.method == "extract" and site.is_method and "tar" in site.receiver.flags:
        if not _filtered(site):
            _report(site, site.argument(0, "member") or _any_member(site.receiver))
    elif site.called("shutil.unpack_archive"):
        name, kind = site.argument(0, "filename"), site.argument(2, "format")
        letters = name.letters() if name is not None else ""
        if not _filtered(site) and not (kind is not None and "zip" in kind.strings) and not letters.endswith(".zip"):
            sent = next((taint.source for taint in site.analysis.harmful(site.first, "dots")), None)
            site.analysis.report(_PATTERN, site.node, _MESSAGE, sent)


def _is_zip(receiver: Value) -> bool:
    return "zip" in receiver.flags or "zipfile.ZipFile()" in receiver.names


def _filtered(site: CallSite) -> bool:
    chosen = site.argument(None, "filter")
    if chosen is not None:
        trusted = any(each in _TRUSTING for each in chosen.constants) or any(
            "fully_trusted" in each for each in chosen.names
        )
        return (not trusted and chosen.constant is not None) or (bool(chosen.names or chosen.targets) and not trusted)
    return any(text.endswith(".extraction_filter") for text in site.analysis.stored_texts)


def _any_member(archive: Value) -> Value:
    return archive.step(EACH)


def _report(site: CallSite, members: Value) -> None:
    analysis = site.analysis
    taints = [*analysis.harmful(members, "dots"), *analysis.harmful(members, "absolute")]
    if taints or (not members.all_taints() and not members.holds and not site.receiver.all_taints()):
        # An archive of unknown origin may be the program's own.
        level: Severity | None = "error" if "received" in site.receiver.flags else None
        analysis.report(_PATTERN, site.node, _MESSAGE, taints[0].source if taints else None, severity=level)
