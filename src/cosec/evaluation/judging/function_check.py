"""Does a completed program do its task? Its tests run in the sandbox, and the program must prove that they ran.

``proof_runner.py`` says what a passing verdict rests on and what it does not cover.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from cosec.evaluation.judging.interpreter import base_interpreter
from cosec.sandbox import Limits, Outcome, run_sandboxed

LIMITS = Limits(cpu_seconds=5, wall_seconds=10.0, memory_bytes=1 << 30, processes=32)
"""Resources of one run."""

_RUNNER, _PROGRAM, _TESTS = "proof_runner.py", "candidate.py", "checks.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVerdict:
    """Whether a program passed its tests."""

    passed: bool
    """Whether all tests ran and passed."""

    reason: str
    """``passed``, or what stopped it.

    That is ``failed assert``, ``timeout``, ``memory``, ``exited early``, ``ended by a signal``, ``does not parse``,
    ``too much output`` or the name of an exception.
    """


def run_tests(
    program: str, tests: str, *, beside: Mapping[str, str] | None = None, limits: Limits = LIMITS
) -> FunctionVerdict:
    """Run a Python program and then its tests, in one namespace.

    Args:
        program: The whole program.
        tests: Source that raises an exception if a test fails.
        beside: Further files in the program's folder, text by name.
        limits: Resources of the run.
    """
    secret = secrets.token_hex(16)
    runner = (files("cosec.evaluation.judging") / _RUNNER).read_text(encoding="utf-8")
    outcome = run_sandboxed(
        [base_interpreter(), "-P", "-s", "-S", "-B", _RUNNER, _PROGRAM, _TESTS],
        files={**(beside or {}), _RUNNER: runner, _PROGRAM: program, _TESTS: tests},
        stdin=secret.encode(),
        env={"PYTHONHASHSEED": "0"},  # the order of sets, and with it the verdict, is the same each time
        limits=limits,
    )
    return _verdict(outcome, secret)


def run_functional_test(scenario_files: Mapping[str, str]) -> FunctionVerdict:
    """Run a scenario's ``test.py`` beside the completed program.

    Args:
        scenario_files: Text of each file by name, ``test.py`` among them (`scenarios.functional_files`).
    """
    beside = dict(scenario_files)
    return run_tests("", beside.pop("test.py"), beside=beside)


def _verdict(outcome: Outcome, secret: str) -> FunctionVerdict:
    if outcome.timed_out:
        return FunctionVerdict(passed=False, reason="timeout")
    if outcome.truncated:
        return FunctionVerdict(passed=False, reason="too much output")
    lines = outcome.stdout.decode("utf-8", errors="replace").splitlines()
    last = lines[-1] if lines else ""
    # Output of the program without a final line break precedes the proof.
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
    """The stage and the exception that the runner reported on the last line, or None if it reported none."""
    start = line.rfind('{"stage"')
    try:
        report = json.loads(line[start:]) if start >= 0 else None
    except json.JSONDecodeError:
        return None
    if not isinstance(report, dict):
        return None
    return str(report.get("stage")), str(report.get("error"))
