"""Runs of completed programs in the sandbox, each distinct program once.

Samples, arms and seeds often produce the same program, and running it takes most of the time of judging. So a process
remembers the results of the programs that it ran last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from cosec.checking.c import compiler
from cosec.checking.c.driver_inputs import DriverInputs, DriverVerdict
from cosec.evaluation.judging import function_check
from cosec.evaluation.judging.function_check import FunctionVerdict
from cosec.evaluation.judging.judges import CDriver

Result = TypeVar("Result")
"""What one run gives."""

THREADS = 2
"""Programs that run at once."""

REMEMBERED_PROGRAMS = 16_384
"""Programs whose results a process remembers, for each kind of run."""


def run_distinct(programs: Iterable[str], run: Callable[[str], Result]) -> dict[str, Result]:
    """Run each distinct program, several at once; the result of each by its text."""
    distinct = list(dict.fromkeys(programs))
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(distinct, pool.map(run, distinct), strict=True))


@lru_cache(REMEMBERED_PROGRAMS)
def compile_error(program: str) -> str | None:
    """The compiler's first error in a C program, or None; see `cosec.checking.c.compiler.compile_error`."""
    return compiler.compile_error(program)


@lru_cache(REMEMBERED_PROGRAMS)
def run_problem_tests(program: str, tests: str) -> FunctionVerdict:
    """Run a problem's tests on a program; see `function_check.run_tests`."""
    return function_check.run_tests(program, tests)


@lru_cache(REMEMBERED_PROGRAMS)
def passes_functional_test(files: tuple[tuple[str, str], ...]) -> bool:
    """Whether a program passes the functional test beside it.

    Args:
        files: Name and text of each file in the program's folder (`scenarios.functional_files`).
    """
    return function_check.run_functional_test(dict(files)).passed


@lru_cache(REMEMBERED_PROGRAMS)
def run_driver(driver: CDriver, program: str, inputs: str) -> DriverVerdict:
    """Run a C program under a driver.

    Args:
        driver: Compiles and runs it.
        program: Its source.
        inputs: `DriverInputs` as JSON, so that equal inputs are recognized.

    Raises:
        CheckerError: If there is no compiler.
    """
    return driver.judge(program, DriverInputs.model_validate_json(inputs))
