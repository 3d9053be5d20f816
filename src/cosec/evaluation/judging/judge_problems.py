"""Judge completions of function problems by running the problem's tests."""

from __future__ import annotations

from collections.abc import Sequence

from cosec.decoding.completion.code_end import code_of
from cosec.evaluation.extraction.chat_answer import judged_parts
from cosec.evaluation.judging.function_check import FunctionVerdict
from cosec.evaluation.judging.program_runs import run_distinct, run_problem_tests
from cosec.evaluation.tasks.problems import Problem
from cosec.evaluation.tasks.samples import Sample


def judge_problem(
    problem: Problem, samples: Sequence[Sample], *, prompt: str, chat: bool = False
) -> list[FunctionVerdict]:
    """Run the problem's tests on each sample; verdicts in the order of the samples.

    What follows the end of a sample's code (`code_of`) is cut: code models go on with calls, prose or a code fence.

    Args:
        problem: What was completed.
        samples: The completions.
        prompt: The text that they continue: the problem's prompt, with or without its last line break.
        chat: Whether they are answers of a chat, which hold the program in a code block.
    """
    parts = [judged_parts(prompt, one.text, "py", chat=chat) for one in samples]
    programs = [given + code_of(given, own, "py") for given, own in parts]
    outcomes = run_distinct(programs, lambda program: run_problem_tests(program, problem.tests))
    return [outcomes[program] for program in programs]
