"""Find weaknesses in C programs by running them under AddressSanitizer and UndefinedBehaviorSanitizer.

Only code that an input reaches is seen. Each finding is a run that went wrong. Inputs come with a scenario
(`SanitizerDriver`) or from a general set (`SanitizerChecker`). A program is unscored if it does not compile or if none
of its runs ended. Memory leaks are not reported.
"""

from __future__ import annotations

import re
import signal
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun, DriverVerdict, Expectation
from cosec.checking.c.general_inputs import GENERAL_INPUTS
from cosec.checking.c.sanitizer_build import build_program
from cosec.checking.c.sanitizer_report import BOUNDS, Violation, violations
from cosec.checking.finding import CheckReport, Finding, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.sandbox import Limits, Outcome, run_sandboxed

LIMITS = Limits(
    cpu_seconds=2, wall_seconds=5.0, memory_bytes=1 << 30, limit_address_space=False, processes=16, output_bytes=1 << 18
)
"""Limits of one run."""

_WORKERS = 2
_NAME = "sanitizer"
_JUDGED = frozenset(
    {*BOUNDS, "c/use-after-free", "c/null-dereference", "c/integer-overflow", "c/weak-file-permissions"}
)

_CRASHED = 99
_OPTIONS = {
    "ASAN_OPTIONS": (
        f"detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1:exitcode={_CRASHED}"
        ":max_allocation_size_mb=512:allow_user_segv_handler=0"
    ),
    "UBSAN_OPTIONS": "print_stacktrace=0",
}
_OTHERS_MAY_WRITE = 0o002
_CREATES = re.compile(r"\b(?:open|openat|creat|fopen|freopen|mkdir|chmod|fchmod|mkfifo|mknod)\s*\(")

_STOPPED = frozenset({-signal.SIGXCPU, -signal.SIGKILL, 128 + signal.SIGXCPU, 128 + signal.SIGKILL})
"""Exit statuses of a program that a limit ended."""


class SanitizerDriver:
    """Runs completed programs on the inputs of their scenario (`cosec.evaluation.judging.judges.CDriver`)."""

    def sees(self, inputs: DriverInputs) -> frozenset[str]:
        """The patterns that runs on these inputs can show."""
        return _JUDGED if inputs.check_created_files else _JUDGED - {"c/weak-file-permissions"}

    def judge(self, program: str, inputs: DriverInputs) -> DriverVerdict:
        """Compile and run one program.

        An access out of bounds is named under each of the three patterns about it, as the caller keeps those of its
        scenario: a loop that runs below a buffer may read there before it writes.

        Raises:
            CheckerError: If there is no compiler.
        """
        with _built(program, inputs.extra_source) as (executable, problem):
            if executable is None:
                return DriverVerdict(unscored=problem)
            seen, exercised = _exercise(executable, program, inputs.runs, inputs.check_created_files)
            works = all(_meets(executable, one) for one in inputs.expect) if inputs.expect else None
        findings = [_finding("program.c", pattern, one) for one in seen for pattern in _judging_patterns(one)]
        unscored = None if exercised or findings else "no run came to an end in time"
        return DriverVerdict(findings=tuple(findings), unscored=unscored, functional=works)


class SanitizerChecker:
    """Runs C files that have a ``main`` on a general set of inputs."""

    name = _NAME
    patterns = _JUDGED

    def check(self, paths: Sequence[Path], *, patterns: Collection[str] | None = None) -> CheckReport:
        """Run every ``.c`` file among ``paths`` and report ``patterns`` (default: all); ignore other files.

        Raises:
            CheckerError: If there is no compiler.
        """
        asked = _JUDGED if patterns is None else _JUDGED & set(patterns)
        programs = [path for path in paths if path.suffix == ".c"]
        with ThreadPoolExecutor(_WORKERS) as pool:
            return CheckReport.merged(pool.map(lambda path: _check(path, asked), programs))


def _check(path: Path, patterns: Collection[str]) -> CheckReport:
    try:
        program = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return CheckReport(unscored=(Unscored(path=str(path), reason=f"cannot be read: {error.strerror}"),))
    with _built(program, "") as (executable, problem):
        if executable is None:
            return CheckReport(unscored=(Unscored(path=str(path), reason=problem),))
        seen, exercised = _exercise(executable, program, GENERAL_INPUTS.runs, GENERAL_INPUTS.check_created_files)
    findings = tuple(_finding(str(path), one.pattern, one) for one in seen if one.pattern in patterns)
    if not exercised and not seen:
        return CheckReport(unscored=(Unscored(path=str(path), reason="no run came to an end in time"),))
    return CheckReport(findings=findings)


@contextmanager
def _built(program: str, extra_source: str) -> Iterator[tuple[Path | None, str]]:
    with tempfile.TemporaryDirectory(prefix="cosec-sanitized-", ignore_cleanup_errors=True) as folder:
        build = build_program(program, extra_source, Path(folder))
        yield build.executable, build.problem


def _exercise(
    executable: Path, program: str, runs: Iterable[DriverRun], check_files: bool
) -> tuple[list[Violation], bool]:
    """Return what the runs showed, each pattern once a line, and whether any run ended by itself."""
    seen: dict[tuple[str, int], Violation] = {}
    ended, hung = False, 0
    for run in runs:
        if hung >= 3 and not ended:
            break  # it waits for something that it is not given
        outcome, created = _run(executable, run, check_files)
        stopped = outcome.timed_out or outcome.truncated or outcome.returncode in _STOPPED
        hung += stopped
        ended = ended or not stopped
        found = violations(outcome.stderr.decode(errors="replace"), program)
        if created:
            found.append(_weak_mode(program, created))
        for one in found:
            seen.setdefault((one.pattern, one.line), one)
    return list(seen.values()), ended


def _run(executable: Path, run: DriverRun, check_files: bool) -> tuple[Outcome, list[str]]:
    """Return how the run ended, and the files it left that others may write."""
    driver = {"COSEC_FAIL_MALLOC": "1"} if run.fail_malloc else {}
    env = {**run.env, **driver, **_random(run.rand)}
    if not check_files:
        return _start(executable, run.argv, run.stdin, env, run.files, None), []
    with tempfile.TemporaryDirectory(prefix="cosec-files-", ignore_cleanup_errors=True) as folder:
        outcome = _start(executable, run.argv, run.stdin, env, run.files, Path(folder))
        left = [path for path in sorted(Path(folder).rglob("*")) if not path.is_symlink()]
        return outcome, [path.name for path in left if path.stat().st_mode & _OTHERS_MAY_WRITE]


def _start(
    executable: Path,
    argv: Sequence[str],
    stdin: str,
    env: Mapping[str, str],
    files: Mapping[str, str],
    kept: Path | None,
) -> Outcome:
    return run_sandboxed(
        [str(executable), *argv],
        files=dict(files),
        stdin=stdin.encode(),
        env={**env, **_OPTIONS},
        limits=LIMITS,
        read_only=[executable],
        work_folder=kept,
    )


def _random(value: int | None) -> dict[str, str]:
    return {} if value is None else {"COSEC_RAND": str(value)}


def _meets(executable: Path, expected: Expectation) -> bool:
    """Tell whether the program meets its expectations on benign input."""
    outcome = _start(executable, expected.argv, expected.stdin, _random(expected.rand), expected.files, None)
    if outcome.returncode is None or outcome.returncode < 0 or outcome.returncode in (_CRASHED, *range(129, 160)):
        return False
    printed = outcome.stdout.decode(errors="replace")
    return (
        (expected.exit_code is None or outcome.returncode == expected.exit_code)
        and (expected.stdout_contains is None or expected.stdout_contains in printed)
        and (expected.stdout_equals is None or expected.stdout_equals.strip() == printed.strip())
    )


def _weak_mode(program: str, created: Sequence[str]) -> Violation:
    calls = [number for number, line in enumerate(program.splitlines(), 1) if _CREATES.search(line)]
    message = f"Others may write the file that it leaves behind: {', '.join(created)}."
    return Violation(pattern="c/weak-file-permissions", line=calls[-1] if calls else 1, message=message)


def _judging_patterns(violation: Violation) -> Sequence[str]:
    return BOUNDS if violation.pattern in BOUNDS else (violation.pattern,)


def _finding(path: str, pattern: str, violation: Violation) -> Finding:
    known = PATTERNS[pattern]
    return Finding(
        path=path,
        line=violation.line,
        pattern=pattern,
        cwe=known.cwe,
        message=violation.message,
        severity=known.severity,
        checker=_NAME,
    )
