"""py/path-traversal: untrusted text in a path that leaves the folder it should stay in; also members of archives."""

import re

from cosec.checking.python.engine.domain.protocol import CallSite
from cosec.checking.python.engine.domain.values import LEADING, Taint, Value
from cosec.checking.python.knowledge.words import words

PATTERN = "py/path-traversal"
ARCHIVE_PATTERN = "py/archive-traversal"
FUNCTIONS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        words(
            "open io.open codecs.open os.open aiofiles.open gzip.open bz2.open lzma.open os.remove os.unlink"
            " os.rmdir os.removedirs os.mkdir os.makedirs os.listdir os.scandir os.walk os.chmod os.chown"
            " os.truncate shutil.rmtree os.mkfifo os.readlink os.utime zipfile.ZipFile tarfile.open"
            " tarfile.TarFile linecache.getline linecache.getlines pandas.read_csv pd.read_csv pandas.read_excel"
            " pd.read_excel numpy.load np.load PIL.Image.open Image.open fileinput.input runpy.run_path"
            " sqlite3.dbapi2 mmap.open tempfile.mkdtemp_in"
        ),
        (0,),
    ),
    **dict.fromkeys(
        words(
            "os.rename os.renames os.replace os.link os.symlink shutil.copy shutil.copy2 shutil.copyfile"
            " shutil.copytree shutil.move shutil.copymode"
        ),
        (0, 1),
    ),
}
NAMED = words(
    "send_file FileResponse StreamingFileResponse send_from_directory TemplateResponse_path static_file_path"
    " web_file sendfile"
)
SENDERS = frozenset({"send_file", "FileResponse", "sendfile"})
PATH_METHODS = words(
    "read_text read_bytes write_text write_bytes open unlink rmdir mkdir touch iterdir rename replace glob rglob"
    " chmod symlink_to hardlink_to"
)
KINDS = frozenset({"remote", "input", "argv", "parameter", "download", "archive"})
UPLOADS = re.compile(r"request\.files$", re.IGNORECASE)
"""Sources that are the uploaded files of a request."""

LINES_OF_CALLERS = frozenset({"parameter", "argv"})
"""Sources that may name a whole path: that is what the function or the command is for."""


def check(site: CallSite) -> None:
    """Look at one call."""
    for name, places in FUNCTIONS.items():
        if name in site.names and not (name == "open" and site.is_method):
            for place in places:
                _report(site, site.argument(place, "file", "path", "name", "src", "dst", "filename"))
            return
    if site.method in SENDERS:
        _report(site, site.argument(0, "path_or_file", "path", "filename_or_fp", "file"))
    elif site.method == "send_from_directory":
        _report(site, site.argument(0, "directory"))
    elif site.method in {"static_file"}:
        _report(site, site.argument(None, "root"))
    elif site.is_method and site.method in PATH_METHODS:
        _path_method(site)
    elif site.is_method and site.method == "save" and site.positional:
        # An upload, an image: a model's save() takes no path.
        _report(site, site.argument(0, "dst", "fp"))


def _path_method(site: CallSite) -> None:
    receiver = site.receiver
    known = bool(receiver.names & {"pathlib.Path()"}) or "path" in receiver.flags
    if known or (site.method in {"read_text", "read_bytes", "write_text", "write_bytes", "iterdir"}):
        _report(site, receiver)


def _report(site: CallSite, path: Value | None) -> None:
    if path is None or path.held("instance", "response") or "buffer" in path.flags:
        return
    harmful = _unique([*site.analysis.harmful(path, "dots", KINDS), *site.analysis.harmful(path, "absolute", KINDS)])
    for taint in harmful:
        if _is_upload(taint):
            continue
        kind = taint.source.kind
        if kind == "archive":
            if len(taint.lineage) > 1:
                site.analysis.report(ARCHIVE_PATTERN, site.node, "An archive's member chooses the path", taint.source)
                return
            continue
        if kind in LINES_OF_CALLERS and LEADING not in taint.neutral:
            continue
        if kind == "parameter" and re.search(r"'(\w*(ext|extension|suffix|prefix|mode)\w*)'", taint.source.text):
            continue
        site.analysis.report(PATTERN, site.node, "Untrusted text becomes part of a file's path", taint.source)
        return


def _is_upload(taint: Taint) -> bool:
    """Whether it is an uploaded file itself, which functions such as ``pandas.read_csv`` take in place of a path."""
    return bool(UPLOADS.search(taint.source.text)) and all(step.startswith("[") for step in taint.lineage[1:])


def _unique(taints: list[Taint]) -> list[Taint]:
    return list(dict.fromkeys(taints))
