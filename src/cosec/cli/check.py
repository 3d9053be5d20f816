"""``cosec check``: look for weaknesses in files and folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cosec.cli.check_flags import ProjectFlags, ScanFlags
from cosec.cli.main import EXIT_INTERRUPTED
from cosec.errors import SettingsError
from cosec.files import why_unreadable
from cosec.sandbox import BackendName, choose_sandbox

if TYPE_CHECKING:
    from cosec.checking.finding import Finding
    from cosec.cli.views.scan_progress import ScanProgress
    from cosec.scanning import FileResult, JudgementCache, Scan, Step, TreeScan
    from cosec.scanning.adoption.acceptance import Acceptance, Accepted
    from cosec.scanning.adoption.baseline import Baseline
    from cosec.scanning.adoption.configuration import Configuration

EXIT_FINDINGS = 1
"""Exit status when findings reach the level of ``--fail-on``."""

EXIT_ERROR = 2
"""Exit status when a path is missing or has nothing to check, or a checker could not run."""

_SEVERITIES = ("error", "warning", "note")


def check(
    *paths: Path,
    format: Literal["text", "json", "sarif"] = "text",
    checker: Sequence[str] = (),
    pattern: Annotated[Sequence[str], Parameter(name=("--pattern", "--rule"))] = (),
    dynamic: Annotated[bool, Parameter(negative=())] = False,
    fail_on: Literal["error", "warning", "note", "never"] | None = None,
    labelled: Path | None = None,
    sandbox: BackendName | None = None,
    flags: Annotated[ScanFlags | None, Parameter(name="*")] = None,
    project: Annotated[ProjectFlags | None, Parameter(name="*")] = None,
) -> None:
    """Look for weaknesses in Python and C files.

    The exit code is 0 if nothing counts, 1 for findings, 2 if a path is missing or a checker could not run, and 130
    after Ctrl-C, which keeps what was found until then.

    Args:
        paths: Files, and folders whose .py, .c and .h files are scanned; by default those of [tool.cosec.check].
        format: Lines, JSON or SARIF 2.1.0.
        checker: flow, c-static, semgrep, sanitizer, codeql; repeatable. The default is flow for Python, c-static and
            semgrep for C.
        pattern: Look for this weakness only, such as py/sql-injection; repeatable. The former name --rule still works.
        dynamic: Also compile C files that have a main and run them under the sanitizers, isolated, on general inputs.
        fail_on: Lowest level that makes the exit code 1: error is a proven flow from a source, warning a plausible one,
            note is hygiene. The default is note if the project does not say.
        labelled: Instead of paths: a JSONL file of programs known to be weak or not (code, lang, vulnerable; id and cwe
            if known). Shows how many the checkers find, and how often they are wrong. Of the flags of a scan only
            --entry-points applies.
        sandbox: What isolates compilers and the programs they make: bubblewrap (the default), or resource limits alone,
            which let a program read and write all that you can.
        flags: How files and folders are scanned.
        project: What a project leaves out and has accepted.
    """
    flags, project = flags or ScanFlags(), project or ProjectFlags()
    if labelled is not None:
        _refuse_scan(project, flags, fail_on)
        _choose_sandbox(sandbox, checker, dynamic=dynamic)
        _refuse_unknown(checker, pattern)
        _measure(labelled, paths, format, checker, pattern, dynamic, flags)
        return
    settings = _settings(project, paths)
    checker, pattern = settings.choose("checker", checker, ()), settings.choose("pattern", pattern, ())
    _choose_sandbox(sandbox, checker, dynamic=dynamic)
    _refuse_unknown(checker, pattern)
    if project.sarif is not None and not project.sarif.absolute().parent.is_dir():
        raise SettingsError(f"Cannot write the SARIF file {str(project.sarif)!r}: its folder does not exist.")
    if project.sarif is not None and project.sarif.is_dir():
        raise SettingsError(f"--sarif {str(project.sarif)!r} is a folder; name a file in it.")
    asked: dict[str, Any] = {"checkers": checker, "patterns": pattern or None, "dynamic": dynamic}
    where = {**_which(paths, project, settings), **_how(flags, settings)}
    code = _scan(asked, where, project, _known(project, settings), format, settings.choose("fail-on", fail_on, "note"))
    if code:
        sys.exit(code)


def _scan(
    asked: dict[str, Any],
    where: dict[str, Any],
    project: ProjectFlags,
    known: Baseline | None,
    format: str,
    fail_on: str,
) -> int:
    """Scan, show what was found and return the exit code.

    Args:
        asked: What is looked for: arguments of both `TreeScan` and `Acceptance`.
        where: Which files are scanned, and how: arguments of `TreeScan`.
        project: What the project leaves out and has accepted.
        known: Known findings.
        format: Lines, JSON or SARIF.
        fail_on: Lowest severity that makes the exit code 1.
    """
    from cosec.cli.views.scan_progress import ScanProgress
    from cosec.scanning import TreeScan
    from cosec.scanning.adoption.acceptance import Acceptance

    acceptance, progress = Acceptance(**asked, baseline=known), ScanProgress()
    tree = TreeScan(**where, **asked, steps=[_accept(acceptance)], on_progress=progress.update)
    if asked["dynamic"] and "c" not in tree.languages:
        print("cosec: note: --dynamic runs C files only, and none was found", file=sys.stderr)  # noqa: T201 - a message
    output = _Output(needed=project.sarif is None and project.write_baseline is None)
    scanned, stopped = _judge(tree, progress, output if format == "text" else None)
    accepted = acceptance.accepted(failed=bool(scanned.errors))
    _close(scanned, accepted, format, project.sarif, output)
    code = EXIT_INTERRUPTED if stopped else _exit_code(scanned, fail_on)
    if project.write_baseline is not None and not scanned.errors:
        _write_baseline(project.write_baseline, [*scanned.report.findings, *accepted.known], acceptance)
        code = 0
    output.close()
    return code


def _refuse_scan(project: ProjectFlags, flags: ScanFlags, fail_on: str | None) -> None:
    """Refuse the flags that have no effect with ``--labelled``."""
    if project != ProjectFlags():
        raise SettingsError(
            "--labelled judges programs by themselves; flags about a project, such as --baseline, have no effect."
        )
    if fail_on is not None or replace(flags, entry_points=None) != ScanFlags():
        raise SettingsError(
            "--labelled measures the checkers, so --fail-on, --jobs, --no-cache and --allow-empty have no effect; "
            "leave them out. Of the flags of a scan only --entry-points applies."
        )


def _settings(project: ProjectFlags, paths: Sequence[Path]) -> Configuration:
    """Return the settings of the project; say on the standard error where they are from."""
    from cosec.scanning.adoption.configuration import Configuration, find_configuration, read_configuration

    if project.isolated:
        if project.config is not None:
            raise SettingsError("--isolated reads no settings, so --config has no effect; leave one of them out.")
        return Configuration()
    settings = find_configuration(paths) if project.config is None else read_configuration(project.config)
    if settings.file is not None:
        print(f"cosec: settings: {settings.file}", file=sys.stderr)  # noqa: T201 - a message
    return settings


def _known(project: ProjectFlags, settings: Configuration) -> Baseline | None:
    """Return the known findings. A baseline that is about to be written first may not exist yet."""
    from cosec.scanning.adoption.baseline import Baseline

    file = project.baseline or settings.baseline()
    writes = project.write_baseline
    is_new = file is not None and writes is not None and writes.absolute() == file.absolute() and not file.exists()
    return None if file is None or is_new else Baseline.read(file)


def _which(paths: Sequence[Path], project: ProjectFlags, settings: Configuration) -> dict[str, Any]:
    """Return the arguments of a `TreeScan` that say which files are scanned."""
    from cosec.scanning.adoption.exclusion import Exclusion

    named = paths or settings.paths()
    if not named:
        raise SettingsError("Name files or folders to check, such as: cosec check src")
    if project.exclude:
        exclusion = Exclusion(project.exclude)
    else:
        exclusion = Exclusion(settings.values.get("exclude", ()), settings.folder)
    if project.force_exclude:
        named = [path for path in named if not exclusion(path, is_folder=os.path.isdir(path))]  # noqa: PTH112 - as in find_files
    return {"paths": named, "exclusion": exclusion}


def _how(flags: ScanFlags, settings: Configuration) -> dict[str, Any]:
    """Return the arguments of a `TreeScan` that flags stand for."""
    if flags.jobs is not None and flags.jobs < 1:
        raise SettingsError(f"--jobs must be at least 1, not {flags.jobs}.")
    return {
        "jobs": flags.jobs or _cores(),
        "cache": None if flags.no_cache else _cache(),
        "allow_empty": flags.allow_empty,
        "entry_points": settings.choose("entry-points", flags.entry_points, "declared"),
    }


def _exit_code(scanned: Scan, fail_on: str) -> int:
    if scanned.errors:
        return EXIT_ERROR
    counting = () if fail_on == "never" else _SEVERITIES[: _SEVERITIES.index(fail_on) + 1]
    return EXIT_FINDINGS if any(one.severity in counting for one in scanned.report.findings) else 0


def _accept(acceptance: Acceptance) -> Step:
    """Leave out the findings of a file that comments or the baseline accept, before they are shown."""

    def step(result: FileResult) -> FileResult:
        file = result.file
        if file.language is None or file.too_large:
            return result
        try:
            data = file.path.read_bytes()
        except OSError:
            data = b""
        kept = acceptance.sort(file.shown, data, file.language, result.findings, judged=not result.unscored)
        return replace(result, findings=kept)

    return step


def _write_baseline(file: Path, findings: Sequence[Finding], acceptance: Acceptance) -> None:
    from cosec.scanning.adoption.baseline import write_baseline

    count = write_baseline(file, findings, acceptance.scope(failed=False))
    print(f"cosec: {count} known finding{'' if count == 1 else 's'} in {file}", file=sys.stderr)  # noqa: T201


class _Output:
    """The standard output. Where the scan also writes files, it goes on after the reader of the output went away.

    Args:
        needed: Whether nothing else is written, so that `write` fails without a reader.
    """

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._gone: BrokenPipeError | None = None

    def write(self, text: str) -> None:
        """Write at once: a program that reads the output need not wait for the end."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError as error:
            if self._needed:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest goes nowhere
            self._gone = error

    def close(self) -> None:
        """Say that the files are written.

        Raises:
            BrokenPipeError: If the reader went away before.
        """
        if self._gone is not None:
            raise self._gone


def _judge(tree: TreeScan, progress: ScanProgress, output: _Output | None) -> tuple[Scan, bool]:
    """Run a scan; return what is known, and whether Ctrl-C stopped it. Findings are written to ``output`` at once."""
    from cosec.cli.views.check_report import finding_lines

    def give(results: Iterator[FileResult]) -> None:
        for result in results:
            if output is not None and result.findings:
                progress.clear()
                output.write(finding_lines(result.findings))

    try:
        give(tree.results())
    except KeyboardInterrupt:
        give(tree.rest())
        scanned = tree.summary()
        message = f"stopped before {scanned.unfinished} of {scanned.files} files were checked"
        return replace(scanned, errors=(*scanned.errors, message)), True
    finally:
        progress.clear()
    return tree.summary(), False


def _close(scanned: Scan, accepted: Accepted, format: str, sarif: Path | None, output: _Output) -> None:
    """Show what is known at the end of a scan."""
    from cosec.cli.views.check_report import as_json, as_sarif, closing_lines, print_notes

    problem = None
    if sarif is not None:  # first: whoever reads the output may close it early
        try:
            sarif.write_text(as_sarif(scanned, accepted), encoding="utf-8")
        except OSError as error:
            problem = SettingsError(f"Cannot write --sarif {str(sarif)!r}: {why_unreadable(error)}.")
    if format == "json":
        output.write(json.dumps(as_json(scanned, accepted), indent=2) + "\n")
    elif format == "sarif":
        output.write(as_sarif(scanned, accepted))
    else:
        output.write(closing_lines(scanned, accepted))
    if format != "json":
        print_notes(scanned, accepted)
    if problem is not None:
        raise problem


def _cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache() -> JudgementCache | None:
    """Return the kept judgements of earlier runs; None if there is no folder for them, as without a home folder."""
    from cosec.models.loading.store import cache_root
    from cosec.scanning import JudgementCache

    try:
        return JudgementCache(cache_root())
    except SettingsError:
        return None


def _choose_sandbox(sandbox: BackendName | None, checkers: Sequence[str], *, dynamic: bool) -> None:
    from cosec.checking.registry import RUN_PROGRAMS

    if dynamic or RUN_PROGRAMS.intersection(checkers):
        print(f"cosec: sandbox: {choose_sandbox(sandbox).name}", file=sys.stderr)  # noqa: T201 - a message
    elif sandbox is not None:
        raise SettingsError("--sandbox has no effect without --dynamic or a checker that runs programs.")


def _measure(
    labelled: Path,
    paths: Sequence[Path],
    format: str,
    checkers: Sequence[str],
    patterns: Sequence[str],
    dynamic: bool,
    flags: ScanFlags,
) -> None:
    """Show recall, precision and false alarms on programs that are known to be weak or not."""
    from dataclasses import asdict

    from cosec.scanning.labelled import measure, read_labelled

    if paths or format == "sarif":
        raise SettingsError("--labelled takes the place of paths and answers as text or json.")
    measured = measure(
        read_labelled(labelled),
        checkers=checkers,
        patterns=patterns or None,
        dynamic=dynamic,
        entry_points=flags.entry_points or "all",
    )
    if format == "json":
        groups = {
            name: {**asdict(one), "recall": one.recall, "precision": one.precision, "false_alarms": one.false_alarms}
            for name, one in measured.groups.items()
        }
        print(json.dumps({**asdict(measured), "groups": groups}, indent=2))  # noqa: T201 - the contract
    else:
        for name, one in measured.groups.items():
            precision = "-" if one.precision is None else f"{100 * one.precision:.1f} %"
            print(  # noqa: T201 - the answer
                f"{name}: found {one.found}/{one.found + one.missed}, "
                f"false alarms {one.alarms}/{one.alarms + one.silent}, precision {precision}, unscored {one.unscored}"
            )
        for title, ids in (("missed", measured.missed), ("false alarm", measured.alarms)):
            for each in ids:
                print(f"{title}: {each}")  # noqa: T201 - the answer
        for error in measured.errors:
            print(f"cosec: error: {' '.join(error.split())}", file=sys.stderr)  # noqa: T201 - a message
    if measured.errors:
        sys.exit(EXIT_ERROR)


def _refuse_unknown(checkers: Sequence[str], patterns: Sequence[str]) -> None:
    from cosec.checking.patterns import PATTERNS
    from cosec.checking.registry import CHECKERS
    from cosec.scanning.assignment import refuse_unknown

    refuse_unknown(checkers, CHECKERS, "--checker")
    refuse_unknown(patterns, PATTERNS, "--pattern")
