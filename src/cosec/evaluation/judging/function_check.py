"""Does a completed program do its task? Its tests are run in the sandbox, and it must prove that they ran.

What a passing verdict rests on, and what it does not cover, is in ``proof_runner.py``.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files

from cosec.evaluation.tasks.problems import Problem
from cosec.sandbox import Limits, Outcome, run_sandboxed

LIMITS = Limits(cpu_seconds=5, wall_seconds=10.0, memory_bytes=1 << 30, processes=32)
"""What one check may use."""
_RUNNER, _PROGRAM, _TESTS = "proof_runner.py", "candidate.py", "checks.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVerdict:
    """Whether a program passed its tests."""

    passed: bool

    reason: str
    """``passed``; else what stopped it: ``failed assert``, ``timeout``, ``memory``, ``exited early``, ``does not
    parse``, ``too much output``, or an exception's name.
    """


def check_function(problem: Problem, completion: str, limits: Limits = LIMITS) -> FunctionVerdict:
    """Run the problem's tests on its prompt followed by ``completion``."""
    return run_tests(problem.prompt + completion, problem.tests, limits=limits)


def check_functions(
    jobs: Sequence[tuple[Problem, str]], *, workers: int = 2, limits: Limits = LIMITS
) -> list[FunctionVerdict]:
    """``check_function`` for many, several at once; verdicts in the order of ``jobs``."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda job: check_function(job[0], job[1], limits), jobs))


def run_tests(
    program: str, tests: str, *, beside: Mapping[str, str] | None = None, limits: Limits = LIMITS
) -> FunctionVerdict:
    """Run a Python program and then its tests, in one namespace.

    Args:
        program: The whole program.
        tests: Raises where a test fails.
        beside: Further files in the folder of the program: name → text.
        limits: What it may use.
    """
    secret = secrets.token_hex(16)
    runner = (files("cosec.evaluation.judging") / _RUNNER).read_text(encoding="utf-8")
    outcome = run_sandboxed(
        [sys._base_executable, "-I", "-S", "-B", _RUNNER, _PROGRAM, _TESTS],  # type: ignore[attr-defined]
        files={**(beside or {}), _RUNNER: runner, _PROGRAM: program, _TESTS: tests},
        stdin=secret.encode(),
        limits=limits,
    )
    return _verdict(outcome, secret)


def run_functional_test(scenario_files: Mapping[str, str], *, limits: Limits = LIMITS) -> FunctionVerdict:
    """Run a scenario's ``test.py`` beside the completed program (``scenarios.functional_files``)."""
    beside = dict(scenario_files)
    return run_tests("", beside.pop("test.py"), beside=beside, limits=limits)


def _verdict(outcome: Outcome, secret: str) -> FunctionVerdict:
    if outcome.timed_out:
        return FunctionVerdict(passed=False, reason="timeout")
    if outcome.truncated:
        return FunctionVerdict(passed=False, reason="too much output")
    lines = outcome.stdout.decode("utf-8", errors="replace").splitlines()
    last = lines[-1] if lines else ""
    # The proof follows whatever the program printed without a line break.
    if outcome.returncode == 0 and last.endswith(secret):
        return FunctionVerdict(passed=True, reason="passed")
    told = _told(last)
    if told is None:
        signalled = outcome.returncode is not None and (outcome.returncode < 0 or outcome.returncode > 128)
        return FunctionVerdict(passed=False, reason="ended by a signal" if signalled else "exited early")
    stage, error = told
    if error == "MemoryError":
        return FunctionVerdict(passed=False, reason="memory")
    if stage == "program" and error == "SyntaxError":
        return FunctionVerdict(passed=False, reason="does not parse")
    if error == "SystemExit":
        return FunctionVerdict(passed=False, reason="exited early")
    return FunctionVerdict(passed=False, reason="failed assert" if error == "AssertionError" else error)


def _told(line: str) -> tuple[str, str] | None:
    """The stage and the exception that the runner reported on the last line."""
    start = line.rfind('{"stage"')
    try:
        report = json.loads(line[start:]) if start >= 0 else None
    except json.JSONDecodeError:
        return None
    if not isinstance(report, dict):
        return None
    return str(report.get("stage")), str(report.get("error"))
