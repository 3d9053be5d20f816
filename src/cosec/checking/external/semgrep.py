"""The checker ``semgrep``: our own semgrep rules, run over many files in one call.

The program is taken from ``COSEC_SEMGREP``, from ``semgrep/bin/semgrep`` beside this Python (where ``make setup`` puts
it), or from the PATH. The folder ``semgrep_rules`` has one file for each pattern: ``py-sql-injection.yaml`` for
``py/sql-injection``. Semgrep follows text inside one function only. A rule that it cannot read finds nothing, so its
list of errors is always read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ClassVar

from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.checking.patterns import PATTERNS, language_of
from cosec.errors import CheckerError

SECONDS = 60.0
"""Time limit of a call without files."""

SECONDS_PER_FILE = 2.0
"""Additional time for each file."""

_OPTIONS = ("--metrics", "off", "--disable-version-check", "--no-git-ignore", "--disable-nosem", "--quiet", "--json")
_TOOK_TOO_LONG = "semgrep took too long on it"
_NOT_SCANNED = "semgrep did not scan it"
_CANNOT_BE_READ = "cannot be read"
INSTALL = "run `make setup`, put semgrep on the PATH, or name the program in COSEC_SEMGREP"
"""The remedy if semgrep is missing."""


def find_semgrep() -> Path | None:
    """Return the path of the semgrep program, or None if there is none."""
    named = os.environ.get("COSEC_SEMGREP")
    if named:
        return Path(named) if os.access(named, os.X_OK) else None
    beside = Path(sys.prefix) / "semgrep" / "bin" / "semgrep"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("semgrep")
    return Path(found) if found else None


def _rule_of(file_name: str) -> str:
    return file_name.removesuffix(".yaml").replace("-", "/", 1)


def _shipped_rules() -> frozenset[str]:
    folder = files("cosec.checking.external") / "semgrep_rules"
    return frozenset(_rule_of(entry.name) for entry in folder.iterdir() if entry.name.endswith(".yaml"))


class SemgrepChecker:
    """Runs semgrep with our rules."""

    name: ClassVar[str] = "semgrep"

    def __init__(self, rules_folder: Path | None = None) -> None:
        """Use the shipped rules, or those in ``rules_folder`` (same file names)."""
        self._folder = rules_folder
        shipped = frozenset(_rule_of(path.name) for path in rules_folder.glob("*.yaml")) if rules_folder else None
        self.patterns: frozenset[str] = _shipped_rules() if shipped is None else shipped

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Look for ``patterns`` in ``paths``; files that semgrep cannot parse or did not scan are unscored.

        Raises:
            CheckerError: If semgrep is missing, fails, or cannot read a rule.
        """
        wanted = self.patterns if patterns is None else self.patterns & set(patterns)
        languages = {PATTERNS[pattern].language for pattern in wanted}
        judged = [path for path in dict.fromkeys(paths) if language_of(path) in languages]
        if not judged:
            return CheckReport()
        present = {language_of(path) for path in judged}
        names = sorted(
            f"{pattern.replace('/', '-')}.yaml" for pattern in wanted if PATTERNS[pattern].language in present
        )
        # Plain names: semgrep skips links, files that look like tests, and what .semgrepignore names.
        with tempfile.TemporaryDirectory(prefix="cosec-semgrep-") as scratch:
            folder = Path(scratch) / "programs"
            folder.mkdir()
            staged: dict[str, Path] = {}
            unscored = []
            for index, path in enumerate(judged):
                copy = folder / f"{index}{path.suffix.lower()}"
                try:
                    copy.write_bytes(path.read_bytes())
                except OSError as error:
                    unscored.append(Unscored(path=str(path), reason=f"{_CANNOT_BE_READ}: {error.strerror}"))
                    continue
                staged[copy.name] = path
            answer = self._run(folder, names, len(staged)) if staged else {}
        return _report(answer, staged, unscored, wanted)

    def version(self) -> str:
        """Return the place, size and time of the program; asking it for its version takes seconds."""
        program = find_semgrep()
        if program is None:
            return ""
        status = program.resolve().stat()
        return f"{program.resolve()} {status.st_size} {status.st_mtime_ns}"

    def lasting(self, report: CheckReport) -> bool:
        """Tell whether another run would report the same."""
        passing = (_TOOK_TOO_LONG, _NOT_SCANNED, _CANNOT_BE_READ)
        return not any(one.reason.startswith(passing) for one in report.unscored)

    def _run(self, folder: Path, names: Sequence[str], count: int) -> Mapping[str, Any]:
        program = find_semgrep()
        if program is None:
            raise CheckerError(f"semgrep is not installed; {INSTALL}.")
        shipped = files("cosec.checking.external") / "semgrep_rules"
        with as_file(shipped) as place:
            rules_folder = self._folder or place
            configs = [option for name in names for option in ("--config", str(rules_folder / name))]
            command = [str(program), "scan", *_OPTIONS, "--max-target-bytes", "0", *configs, "."]
            environment = {**os.environ, "SEMGREP_SETTINGS_FILE": str(folder.parent / "settings.yml")}
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS + SECONDS_PER_FILE * count,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise CheckerError(f"semgrep did not end in time over {count} files; check fewer at once.") from None
            except OSError as error:
                raise CheckerError(f"semgrep cannot be started ({error.strerror}); {INSTALL}.") from None
        try:
            answer: dict[str, Any] = json.loads(done.stdout)
        except json.JSONDecodeError:
            said = " ".join((done.stderr or done.stdout).split())[-300:]
            raise CheckerError(f"semgrep failed with exit code {done.returncode}: {said or 'no output'}") from None
        _refuse_failures(answer, done.returncode)
        return answer


def _refuse_failures(answer: Mapping[str, Any], exit_code: int) -> None:
    """Raise if the run as a whole, or a rule, failed: an empty result would mean nothing."""
    general = [error for error in answer.get("errors", ()) if not error.get("path")]
    if general:
        message = " ".join(str(general[0].get("message", "unknown error")).split())[:300]
        raise CheckerError(f"semgrep could not run its rules: {message}")
    if answer.get("skipped_rules"):
        raise CheckerError(f"semgrep skipped rules: {answer['skipped_rules']}")
    # Exit code 1 means findings, 0 none; files that semgrep could not parse may give 2 or 3.
    if exit_code not in (0, 1) and not answer.get("errors"):
        raise CheckerError(f"semgrep failed with exit code {exit_code} and named no error.")


def _report(
    answer: Mapping[str, Any], staged: Mapping[str, Path], unreadable: Sequence[Unscored], wanted: Collection[str]
) -> CheckReport:
    findings = set()
    for result in answer.get("results", ()):
        pattern = PATTERNS[result["extra"]["metadata"]["rule"]]
        if pattern.id not in wanted:
            continue
        findings.add(
            Finding(
                path=str(staged[Path(result["path"]).name]),
                line=int(result["start"]["line"]),
                pattern=pattern.id,
                cwe=pattern.cwe,
                message=" ".join(str(result["extra"]["message"]).split()),
                severity=pattern.severity,
                checker=SemgrepChecker.name,
            )
        )
    reasons: dict[str, str] = {}
    for error in answer.get("errors", ()):
        kind = error.get("type")
        reasons.setdefault(Path(error["path"]).name, _reason(kind if isinstance(kind, str) else kind[0]))
    scanned = {Path(name).name for name in answer.get("paths", {}).get("scanned", ())}
    for name in staged.keys() - scanned:
        reasons.setdefault(name, _NOT_SCANNED)
    unscored = [Unscored(path=str(staged[name]), reason=reason) for name, reason in reasons.items()]
    return CheckReport(findings=tuple(sorted(findings)), unscored=tuple(sorted([*unreadable, *unscored])))


def _reason(kind: str) -> str:
    known = {
        "Syntax error": "semgrep could not parse it",
        "PartialParsing": "semgrep could parse only parts of it",
        "Timeout": _TOOK_TOO_LONG,
    }
    return known.get(kind, f"semgrep: {kind}")
