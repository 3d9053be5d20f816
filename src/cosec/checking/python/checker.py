"""The checker ``flow``: follows untrusted text through the functions of a Python file to its use.

See ``docs/decisions/0008-own-flow-analysis.md`` for why it exists beside semgrep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from cosec.checking.finding import CheckReport, EntryPoints, Finding, Unscored, weaker
from cosec.checking.patterns import PATTERNS
from cosec.checking.python.project import ProjectModules
from cosec.checking.python.syntax import NotPythonError, decoded, parse_any_version
from cosec.checking.time_limit import OutOfTime
from cosec.errors import CheckerError

PYTHON_PATTERNS = frozenset(name for name, pattern in PATTERNS.items() if pattern.language == "py")
"""Every pattern about Python."""


class FlowChecker:
    """Finds weaknesses in Python files by abstract interpretation.

    Args:
        entry_points: The functions whose parameters are untrusted.
    """

    name = "flow"
    patterns = PYTHON_PATTERNS

    def __init__(self, *, entry_points: EntryPoints = "all") -> None:
        self._entry_points = entry_points

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Look for ``patterns`` (default: all about Python) in ``paths``, each file by itself.

        A file that is not valid Python, or that the analysis cannot finish, is unscored.

        Raises:
            CheckerError: If one of ``patterns`` is not this checker's.
        """
        wanted = self.patterns if patterns is None else frozenset(patterns)
        if foreign := sorted(wanted - self.patterns):
            raise CheckerError(
                f"the flow checker knows no pattern {foreign[0]!r}; its patterns are those that start with py/"
            )
        return CheckReport.merged(check_file(path, wanted, entry_points=self._entry_points) for path in paths)

    def check_content(self, path: Path, content: bytes, *, patterns: Collection[str]) -> CheckReport:
        """Look for ``patterns`` in the bytes of a file, whose encoding is found as Python does.

        Calls of functions in other files of the project are followed; the report names the files that were read.
        """
        try:
            source = decoded(content)
        except NotPythonError as error:
            return _unscored(path, str(error))
        imports = ProjectModules()
        report = check_source(source, path, patterns, imports, entry_points=self._entry_points)
        return replace(report, also_read=tuple(sorted(imports.looked_for)))


def check_file(path: Path, patterns: Collection[str], *, entry_points: EntryPoints = "all") -> CheckReport:
    """Look for ``patterns`` in one file by itself."""
    try:
        source = decoded(path.read_bytes())
    except OSError as error:
        return _unscored(path, f"cannot be read: {error.strerror}")
    except NotPythonError as error:
        return _unscored(path, str(error))
    return check_source(source, path, patterns, entry_points=entry_points)


def check_source(
    source: str,
    path: Path,
    patterns: Collection[str],
    imports: ProjectModules | None = None,
    *,
    entry_points: EntryPoints = "all",
) -> CheckReport:
    """Look for ``patterns`` in a program's text; ``path`` is the name in findings.

    ``imports`` finds other files whose functions it calls; without it the file is judged by itself. ``entry_points``
    are the functions whose parameters are untrusted.

    Findings of a file that is too large, or takes too long, are those until then, and the file is unscored.
    """
    from cosec.checking.python.engine.analysis import FileAnalysis, TooLargeError
    from cosec.checking.python.sinks import SinkObserver

    analysis: FileAnalysis | None = None
    reason: str | None = None
    try:
        tree = parse_any_version(source)
        analysis = FileAnalysis(tree, SinkObserver(), imports, str(path.absolute()), entry_points=entry_points)
        analysis.run()
    except NotPythonError as error:
        return _unscored(path, str(error))
    except TooLargeError:
        reason = "not fully judged: it is too large to follow every path"
    except OutOfTime:
        reason = "not fully judged: it takes too long to follow every path"
    except RecursionError:
        reason = "is nested too deeply to analyse"
    except Exception as error:  # a defect of the analysis must not pass for a clean file
        reason = f"the flow checker failed on it: {type(error).__name__}: {error}"
    found = {} if analysis is None else analysis.findings
    # Passwords, modes and hosts of tests guard nothing.
    in_tests = analysis is not None and analysis.program.tests
    in_tests = in_tests or (imports is not None and imports.in_tests(str(path.absolute())))
    only_proven = entry_points == "declared" and in_tests
    return CheckReport(
        findings=tuple(
            Finding(
                path=str(path),
                line=line,
                pattern=pattern,
                cwe=PATTERNS[pattern].cwe,
                message=reported.message,
                severity=weaker(reported.severity, PATTERNS[pattern].severity),
                checker=FlowChecker.name,
            )
            for (line, pattern), reported in sorted(found.items())
            if pattern in patterns and not (only_proven and reported.severity != "error")
        ),
        unscored=() if reason is None else (Unscored(path=str(path), reason=reason),),
    )


def _unscored(path: Path, reason: str) -> CheckReport:
    return CheckReport(unscored=(Unscored(path=str(path), reason=reason),))
