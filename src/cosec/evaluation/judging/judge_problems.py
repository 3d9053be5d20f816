"""Judge completions of function problems by running the problem's tests."""

from __future__ import annotations

from collections.abc import Sequence

from cosec.evaluation.extraction.python_program import end_of_function
from cosec.evaluation.judging.function_check import FunctionVerdict
from cosec.evaluation.judging.program_runs import run_distinct, run_problem_tests
from cosec.evaluation.tasks.problems import Problem
from cosec.evaluation.tasks.samples import Sample


def judge_problem(problem: Problem, samples: Sequence[Sample]) -> list[FunctionVerdict]:
    """Run the problem's tests on each sample; verdicts in the order of the samples.

    A sample continues the prompt without its last line break. Text after the end of the function is cut, because code
    models go on with calls, prose or a code fence.
    """
    prompt = problem.prompt.rstrip()
    programs = [prompt + one.text for one in samples]
    programs = [program[: end_of_function(program, len(prompt))] for program in programs]
    outcomes = run_distinct(programs, lambda program: run_problem_tests(program, problem.tests))
    return [outcomes[program] for program in programs]
