"""py/path-traversal: untrusted text in a path that leaves the folder it should stay in; also members of archives."""

import re

from cosec.checking.finding import Severity
from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import LEADING, Taint, Value
from cosec.checking.python.engine.library import attributes
from cosec.checking.python.knowledge.sinks import CERTAIN_PATH_METHODS, PATH_METHODS, PATHS
from cosec.checking.python.knowledge.sources import LOCAL
from cosec.checking.python.sinks.rows import arguments, matching

_PATTERN = "py/path-traversal"
_ARCHIVE_PATTERN = "py/archive-traversal"
_KINDS = frozenset({"remote", "input", "argv", "parameter", "download", "archive"})
_ENDINGS = re.compile(r"('|option -*)\w*(ext|extension|suffix|prefix|mode)\w*", re.IGNORECASE)
UPLOADS = re.compile(r"request\.files$", re.IGNORECASE)
"""Sources that are the uploaded files of a request."""

FILE_FIELDS = re.compile(r"file|image|avatar|photo|picture|logo|upload|attachment", re.IGNORECASE)
"""Fields of forms that hold an uploaded file."""

LINES_OF_CALLERS = frozenset({"parameter", "argv"})
"""Sources that may be a whole path: functions and commands that take a path are meant to use it."""


def check(site: CallSite) -> None:
    """Look at one call."""
    row = matching(site, PATHS)
    if row is not None:
        for path in arguments(site, row):
            _report(site, attributes.shown(site.analysis, path, "__fspath__"))
    elif site.is_method and site.method in PATH_METHODS:
        _path_method(site)
    elif site.is_method and site.method == "save" and site.positional:
        # An upload or an image; a database model's save() takes no path.
        _report(site, site.argument(0, "dst", "fp"))


def _path_method(site: CallSite) -> None:
    receiver = site.receiver
    known = bool(receiver.names & {"pathlib.Path()"}) or "path" in receiver.flags
    if known or site.method in CERTAIN_PATH_METHODS:
        _report(site, receiver)


def _report(site: CallSite, path: Value | None) -> None:
    if path is None or path.held("instance", "response") or "buffer" in path.flags:
        return
    harmful = _unique([*site.analysis.harmful(path, "dots", _KINDS), *site.analysis.harmful(path, "absolute", _KINDS)])
    for taint in harmful:
        if _is_upload(taint):
            continue
        kind = taint.source.kind
        if kind == "archive":
            if len(taint.lineage) > 1 and not _only_reads(site):
                site.analysis.report(_ARCHIVE_PATTERN, site.node, "An archive's member chooses the path", taint.source)
                return
            continue
        if kind in LINES_OF_CALLERS and LEADING not in taint.neutral:
            continue
        local = kind in LOCAL
        if local and site.analysis.entry_points == "declared" and not _below_a_known_folder(path):
            continue
        if kind in LINES_OF_CALLERS and _ENDINGS.search(taint.source.text):
            continue
        level: Severity | None = "warning" if local else None
        message = "Untrusted text becomes part of a file's path"
        site.analysis.report(_PATTERN, site.node, message, taint.source, severity=level)
        return


def _below_a_known_folder(path: Value) -> bool:
    """Tell whether the path starts with a folder of the system, which who starts the program need not leave.

    Folders below the working folder or a home belong to that person.
    """
    return re.match(r"/(?!home/|tmp/)\w[\w.-]*/", path.letters()) is not None


def _only_reads(site: CallSite) -> bool:
    """Tell whether a file is opened to be read: an archive does harm where it is unpacked."""
    mode = site.argument(1, "mode")
    if not site.called("open", "io.open"):
        return False
    return mode is None or (bool(mode.strings) and not any(set(each) & set("wax+") for each in mode.strings))


def _is_upload(taint: Taint) -> bool:
    """Tell whether it is an uploaded file, which ``pandas.read_csv`` and others take in place of a path."""
    if taint.source.text.endswith("cleaned_data") and FILE_FIELDS.search("".join(taint.lineage[1:2])):
        return True
    return bool(UPLOADS.search(taint.source.text)) and all(step.startswith("[") for step in taint.lineage[1:])


def _unique(taints: list[Taint]) -> list[Taint]:
    return list(dict.fromkeys(taints))
