"""``cosec check``: look for weaknesses in files and folders."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from cosec.errors import SettingsError
from cosec.sandbox import BackendName, choose_sandbox

if TYPE_CHECKING:
    from cosec.checking.finding import Finding
    from cosec.checking.scanning import Scan

EXIT_FINDINGS = 1
"""Exit status when findings reach the level of ``--fail-on``."""

EXIT_ERROR = 2
"""Exit status when a checker could not run."""

Many = Parameter(negative=())
"""A flag that may be repeated and has no negative form."""

_RUN_PROGRAMS = {"sanitizer", "codeql"}
"""Checkers that start a compiler, or what it makes."""

_SEVERITIES = ("error", "warning", "note")


def check(
    *paths: Path,
    format: Literal["text", "json", "sarif"] = "text",
    checker: Annotated[Sequence[str], Many] = (),
    pattern: Annotated[Sequence[str], Parameter(name=("--pattern", "--rule"), negative=())] = (),
    dynamic: Annotated[bool, Parameter(negative=())] = False,
    fail_on: Literal["error", "warning", "note", "never"] = "note",
    baseline: Path | None = None,
    labelled: Path | None = None,
    sandbox: BackendName | None = None,
) -> None:
    """Look for weaknesses in Python and C files.

    The exit code is 0 if nothing counts, 1 for findings, 2 if a path is missing or a checker could not run.

    Args:
        paths: Files, and folders whose .py, .c and .h files are scanned.
        format: Lines, JSON or SARIF 2.1.0.
        checker: flow, c-static, semgrep, sanitizer, codeql; repeatable. The default is flow for Python, c-static and
            semgrep for C.
        pattern: Look for this weakness only, such as py/sql-injection; repeatable. The former name --rule still works.
        dynamic: Also compile C files that have a main and run them under the sanitizers, isolated, on general inputs.
        fail_on: Lowest severity that makes the exit code 1.
        baseline: An earlier JSON or SARIF report; only findings that are not in it are shown and count.
        labelled: Instead of paths: a JSONL file of programs known to be weak or not (code, lang, vulnerable; id and cwe
            if known). Shows how many the checkers find, and how often they are wrong.
        sandbox: What isolates compilers and the programs they make: bubblewrap (the default), or resource limits alone,
            which let a program read and write all that you can.
    """
    from cosec.checking.baseline import new_findings
    from cosec.checking.sarif import sarif_report
    from cosec.checking.scanning import scan

    _choose_sandbox(sandbox, runs_programs=dynamic or bool(set(checker) & _RUN_PROGRAMS))
    if labelled is not None:
        _refuse_unknown(checker, pattern)
        _measure(labelled, paths, format, checker, pattern, dynamic)
        return
    if not paths:
        raise SettingsError("Name files or folders to check, such as: cosec check src")
    _refuse_unknown(checker, pattern)
    scanned = scan(paths, checkers=checker, patterns=pattern or None, dynamic=dynamic)
    findings = scanned.report.findings
    if baseline is not None:
        findings = new_findings(findings, baseline)
    if format == "json":
        print(json.dumps(_as_json(scanned, findings), indent=2))  # noqa: T201 - the contract
    elif format == "sarif":
        print(json.dumps(sarif_report(findings, scanned.report.unscored, scanned.errors), indent=2))  # noqa: T201
    else:
        _print_lines(scanned, findings)
    if format != "json":
        for error in scanned.errors:
            print(f"cosec: error: {' '.join(error.split())}", file=sys.stderr)  # noqa: T201 - a message
    if scanned.errors:
        sys.exit(EXIT_ERROR)
    counting = () if fail_on == "never" else _SEVERITIES[: _SEVERITIES.index(fail_on) + 1]
    if any(finding.severity in counting for finding in findings):
        sys.exit(EXIT_FINDINGS)


def _choose_sandbox(sandbox: BackendName | None, *, runs_programs: bool) -> None:
    if runs_programs:
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
) -> None:
    """Show recall, precision and false alarms on programs that are known to be weak or not."""
    from dataclasses import asdict

    from cosec.checking.labelled import measure, read_labelled

    if paths or format == "sarif":
        raise SettingsError("--labelled takes the place of paths and answers as text or json.")
    measured = measure(read_labelled(labelled), checkers=checkers, patterns=patterns or None, dynamic=dynamic)
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
    import difflib

    from cosec.checking.patterns import PATTERNS
    from cosec.checking.registry import CHECKERS

    for option, values, known in (("--checker", checkers, CHECKERS), ("--pattern", patterns, PATTERNS)):
        for value in values:
            if value not in known:
                near = difflib.get_close_matches(value, list(known), n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Choose from {', '.join(known)}."
                raise SettingsError(f"{option}: there is no {value!r}. {hint}")


def _as_json(scanned: Scan, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "files": scanned.files,
        "findings": [
            {
                "path": one.path,
                "rule": one.pattern,
                "cwe": one.cwe,
                "line": one.line,
                "severity": one.severity,
                "message": one.message,
            }
            for one in findings
        ],
        "unscored": [{"path": one.path, "reason": one.reason} for one in scanned.report.unscored],
        "errors": list(scanned.errors),
    }


def _print_lines(scanned: Scan, findings: Sequence[Finding]) -> None:
    for one in findings:
        print(f"{one.path}:{one.line}: {one.severity}: {one.message} [{one.pattern}, {one.cwe}, {one.checker}]")  # noqa: T201
    for left in scanned.report.unscored:
        print(f"{left.path}: unscored: {left.reason}")  # noqa: T201
    counts = [(scanned.files, "file"), (len(findings), "finding")]
    summary = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
    print(f"{summary}, {len(scanned.report.unscored)} unscored")  # noqa: T201
