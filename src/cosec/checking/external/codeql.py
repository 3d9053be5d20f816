"""The checker ``codeql``: CodeQL's standard queries, if its command line is on the PATH.

CodeQL's licence restricts its use, so our tests do not install it: they run a stand-in that records its arguments and
replays SARIF. The queries are those that SVEN
(He & Vechev, CCS 2023) names for these weaknesses. Queries that SVEN wrote itself, and patterns that only those judge,
are left out. A list given to ``subprocess`` is not a shell command: as in SVEN, alerts about one are dropped, but for
a list that starts a shell with ``-c``.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

from cosec.checking.c.compiler import compile_error
from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.checking.patterns import PATTERNS, Language
from cosec.checking.python.syntax import parse
from cosec.errors import CheckerError
from cosec.sandbox import Limits, run_sandboxed

SUFFIXES: Mapping[str, Language] = {".py": "py", ".c": "c"}
"""File name endings → language; headers are read with the files that include them."""

SECONDS = 1800.0
"""Time limit of each of the two steps."""

_LIMITS = Limits(
    cpu_seconds=16 * int(SECONDS),
    wall_seconds=SECONDS,
    memory_bytes=8 << 30,
    limit_address_space=False,
    processes=1024,
    open_files=4096,
    file_bytes=4 << 30,
    output_bytes=16 << 20,
)
"""Limits of one step; CodeQL is a Java program with a thread for each core."""

_SOURCES, _DATABASE, _RESULTS, _CACHES, _BUILD_SCRIPT = "sources", "database", "results.sarif", "caches", "build.sh"
"""Names in the working folder of both steps."""

_PYTHON, _CPP = "codeql/python-queries:Security", "codeql/cpp-queries"
QUERIES: Mapping[str, Mapping[str, str]] = {
    "py/sql-injection": {"py/sql-injection": f"{_PYTHON}/CWE-089/SqlInjection.ql"},
    "py/command-injection": {"py/command-line-injection": f"{_PYTHON}/CWE-078/CommandInjection.ql"},
    "py/path-traversal": {"py/path-injection": f"{_PYTHON}/CWE-022/PathInjection.ql"},
    "py/archive-traversal": {"py/tarslip": f"{_PYTHON}/CWE-022/TarSlip.ql"},
    "py/cross-site-scripting": {"py/reflective-xss": f"{_PYTHON}/CWE-079/ReflectedXss.ql"},
    "py/template-without-escaping": {"py/jinja2/autoescape-false": f"{_PYTHON}/CWE-079/Jinja2WithoutEscaping.ql"},
    "py/unsafe-deserialization": {"py/unsafe-deserialization": f"{_PYTHON}/CWE-502/UnsafeDeserialization.ql"},
    "py/weak-file-permissions": {"py/overly-permissive-file": f"{_PYTHON}/CWE-732/WeakFilePermissions.ql"},
    "py/hardcoded-credentials": {"py/hardcoded-credentials": f"{_PYTHON}/CWE-798/HardcodedCredentials.ql"},
    "py/incomplete-host-check": {
        "py/incomplete-hostname-regexp": f"{_PYTHON}/CWE-020/IncompleteHostnameRegExp.ql",
        "py/incomplete-url-substring-sanitization": f"{_PYTHON}/CWE-020/IncompleteUrlSubstringSanitization.ql",
    },
    "py/log-injection": {"py/log-injection": f"{_PYTHON}/CWE-117/LogInjection.ql"},
    "py/regex-injection": {"py/regex-injection": f"{_PYTHON}/CWE-730/RegexInjection.ql"},
    "c/null-dereference": {"cpp/missing-null-test": f"{_CPP}:Critical/MissingNullTest.ql"},
    "c/use-after-free": {"cpp/use-after-free": f"{_CPP}:Critical/UseAfterFree.ql"},
    "c/out-of-bounds-write": {
        "cpp/potential-buffer-overflow": f"{_CPP}:Likely Bugs/Memory Management/PotentialBufferOverflow.ql"
    },
    "c/integer-overflow": {
        "cpp/tainted-arithmetic": f"{_CPP}:Security/CWE/CWE-190/ArithmeticTainted.ql",
        "cpp/uncontrolled-arithmetic": f"{_CPP}:Security/CWE/CWE-190/ArithmeticUncontrolled.ql",
    },
    "c/buffer-overflow": {"cpp/overflow-buffer": f"{_CPP}:Security/CWE/CWE-119/OverflowBuffer.ql"},
    "c/weak-file-permissions": {
        "cpp/world-writable-file-creation": f"{_CPP}:Security/CWE/CWE-732/DoNotCreateWorldWritable.ql"
    },
    "c/command-injection": {"cpp/command-line-injection": f"{_CPP}:Security/CWE/CWE-078/ExecTainted.ql"},
    "c/path-traversal": {"cpp/path-injection": f"{_CPP}:Security/CWE/CWE-022/TaintedPath.ql"},
    "c/sql-injection": {"cpp/sql-injection": f"{_CPP}:Security/CWE/CWE-089/SqlTainted.ql"},
}
"""Pattern -> CodeQL's id in SARIF -> query as ``codeql database analyze`` takes it."""

_PATTERN_OF = {identity: pattern for pattern, queries in QUERIES.items() for identity in queries}
_LANGUAGES: Mapping[Language, str] = {"py": "python", "c": "cpp"}
_HEADER = "codeql reads headers only with the files that include them"
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "cmd", "cmd.exe", "powershell"}


class CodeqlChecker:
    """Runs CodeQL: builds a database for each language, then runs the queries of the patterns."""

    name: ClassVar[str] = "codeql"
    patterns: frozenset[str] = frozenset(QUERIES)

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Look for ``patterns`` in ``paths``; headers, and files that do not parse or compile, are unscored.

        Raises:
            CheckerError: If CodeQL is missing, fails, or writes no SARIF.
            SandboxError: If programs cannot be isolated here.
        """
        wanted = self.patterns if patterns is None else self.patterns & set(patterns)
        if shutil.which("codeql") is None:
            raise CheckerError("codeql is not on the PATH; install the CodeQL command line with its standard queries.")
        reports = []
        for language in _LANGUAGES:
            chosen = sorted(pattern for pattern in wanted if PATTERNS[pattern].language == language)
            judged = [path for path in dict.fromkeys(paths) if SUFFIXES.get(path.suffix.lower()) == language]
            if chosen and judged:
                reports.append(_check(language, judged, chosen))
        if any(PATTERNS[pattern].language == "c" for pattern in wanted):
            headers = (str(path) for path in paths if path.suffix == ".h")
            reports.append(CheckReport(unscored=tuple(Unscored(path=path, reason=_HEADER) for path in headers)))
        return CheckReport.merged(reports)


def _check(language: Language, paths: Sequence[Path], patterns: Sequence[str]) -> CheckReport:
    queries = [query for pattern in patterns for query in QUERIES[pattern].values()]
    with tempfile.TemporaryDirectory(prefix="cosec-codeql-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        (folder / _SOURCES).mkdir()
        staged, unscored = _stage(paths, folder / _SOURCES, language)
        if not staged:
            return CheckReport(unscored=tuple(unscored))
        create = [f"--language={_LANGUAGES[language]}", f"--source-root={_SOURCES}", "--overwrite"]
        if language == "c":
            create.append(_build_command(folder, staged))
        readable = sorted({path.parent.resolve() for path in staged.values()}) if language == "c" else []
        _run("create", create, folder, readable)
        _run("analyze", [*queries, "--format=sarifv2.1.0", f"--output={_RESULTS}"], folder, [])
        try:
            text = (folder / _RESULTS).read_text(encoding="utf-8")
            results = [result for run in json.loads(text)["runs"] for result in run["results"]]
            findings = [one for result in results if (one := _finding(result, staged)) is not None]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise CheckerError(f"codeql wrote no SARIF that can be read ({type(error).__name__}: {error}).") from None
    kept = {one for one in findings if one.pattern in patterns and not _is_argument_list(one)}
    return CheckReport(findings=tuple(sorted(kept)), unscored=tuple(sorted(unscored)))


def _stage(paths: Sequence[Path], folder: Path, language: Language) -> tuple[dict[str, Path], list[Unscored]]:
    """Copy the files that CodeQL would extract under plain names; it skips silently what does not parse."""
    staged: dict[str, Path] = {}
    unscored = []
    for index, path in enumerate(paths):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            unscored.append(Unscored(path=str(path), reason=f"cannot be read: {error.strerror}"))
            continue
        problem = _problem(path, language, text)
        if problem is not None:
            unscored.append(Unscored(path=str(path), reason=problem))
            continue
        name = f"{index}{path.suffix.lower()}"
        (folder / name).write_text(text, encoding="utf-8")
        staged[name] = path
    return staged, unscored


def _problem(path: Path, language: Language, text: str) -> str | None:
    if language == "py":
        return None if parse(text) is not None else "is not valid Python"
    problem = compile_error(text, include=path.parent)
    return problem if problem is None or problem == "the compiler took too long" else "does not compile"


def _build_command(folder: Path, staged: Mapping[str, Path]) -> str:
    """The option that makes CodeQL compile every file; it observes the compiler. Commands run in the source folder."""
    lines = [
        shlex.join(["gcc", "-c", "-w", f"-I{path.parent.resolve()}", "-o", "/dev/null", name])
        for name, path in staged.items()
    ]
    (folder / _BUILD_SCRIPT).write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    return f"--command=sh ../{_BUILD_SCRIPT}"


def _run(action: str, options: Sequence[str], folder: Path, readable: Sequence[Path]) -> None:
    """Run ``codeql database ACTION`` in the sandbox, with ``folder`` as its working folder.

    CodeQL reads its own installation and the query packs below ``~/.codeql``; its caches are in ``folder``.
    """
    program = Path(shutil.which("codeql") or "codeql")
    packs = [path for path in (Path.home() / ".codeql" / "packages",) if path.is_dir()]
    step = f"codeql database {action}"
    outcome = run_sandboxed(
        [
            *(str(program.resolve()), "database", action, _DATABASE, *options, f"--common-caches={_CACHES}"),
            *(f"--additional-packs={path.resolve()}" for path in packs if action == "analyze"),
        ],
        limits=_LIMITS,
        read_only=[program.resolve().parent, *packs, *readable],
        work_folder=folder,
    )
    if outcome.timed_out:
        raise CheckerError(f"`{step}` did not end within {SECONDS:.0f} s; check fewer files at once.")
    if outcome.returncode != 0:
        said = " ".join((outcome.stderr or outcome.stdout).decode(errors="replace").split())[-300:]
        raise CheckerError(f"`{step}` failed with exit code {outcome.returncode}: {said or 'no output'}")


def _finding(result: Mapping[str, Any], staged: Mapping[str, Path]) -> Finding | None:
    """Return what an alert says; None if it is about a header that a judged file includes."""
    place = result["locations"][0]["physicalLocation"]
    pattern = PATTERNS[_PATTERN_OF[result["ruleId"]]]
    path = staged.get(os.path.basename(unquote(place["artifactLocation"]["uri"])))  # noqa: PTH119 - a URI
    if path is None:
        return None
    return Finding(
        path=str(path),
        line=int(place["region"]["startLine"]),
        pattern=pattern.id,
        cwe=pattern.cwe,
        message=" ".join(result["message"]["text"].split()),
        severity=pattern.severity,
        checker=CodeqlChecker.name,
    )


def _is_argument_list(finding: Finding) -> bool:
    """Tell whether an alert is about a list of arguments that no shell reads."""
    if finding.pattern != "py/command-injection":
        return False
    tree = parse(Path(finding.path).read_text(encoding="utf-8", errors="replace"))
    calls = [] if tree is None else list(_calls_at(tree, finding.line))
    return bool(calls) and all(_takes_list(tree, call) for call in calls)


def _calls_at(tree: ast.Module, line: int) -> Iterator[ast.Call]:
    """Return the calls of ``subprocess`` functions that cover a line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.lineno <= line <= (node.end_lineno or node.lineno) and node.args:
            name = ast.unparse(node.func)
            if name.split(".")[-1] in {"run", "call", "check_call", "check_output", "Popen"}:
                yield node


def _takes_list(tree: ast.Module | None, call: ast.Call) -> bool:
    if any(
        one.arg == "shell" and not (isinstance(one.value, ast.Constant) and not one.value.value)
        for one in call.keywords
    ):
        return False
    command: ast.expr = call.args[0]
    if isinstance(command, ast.Name) and tree is not None:
        command = _last_assigned(tree, command)
    if not isinstance(command, ast.List | ast.Tuple) or not command.elts:
        return False
    words = [one.value for one in command.elts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    starts_shell = bool(words) and words[0].split("/")[-1] in _SHELLS
    # The program itself, given from outside, is a command too.
    return isinstance(command.elts[0], ast.Constant) and not starts_shell


def _last_assigned(tree: ast.Module, name: ast.Name) -> ast.expr:
    """Return the last value assigned to a name above its use; the name itself if that is unclear."""
    values = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and node.lineno < name.lineno
        and any(isinstance(target, ast.Name) and target.id == name.id for target in node.targets)
    ]
    return max(values, key=lambda pair: pair[0])[1] if values else name
