"""Run the tests of many problems at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cosec.evaluation.judging.function_check import FunctionVerdict, run_tests
from cosec.evaluation.tasks.problems import Problem


def check_functions(jobs: Sequence[tuple[Problem, str]], *, threads: int = 2) -> list[FunctionVerdict]:
    """Verdicts on completions of problems, in the order of ``jobs``."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda job: run_tests(job[0].prompt + job[1], job[0].tests), jobs))
