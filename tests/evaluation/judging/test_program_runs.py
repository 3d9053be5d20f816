from __future__ import annotations

from collections.abc import Iterator

import pytest

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun, DriverVerdict
from cosec.evaluation.judging import function_check, program_runs
from cosec.evaluation.judging.function_check import FunctionVerdict
from cosec.evaluation.judging.judge_problems import judge_problem
from cosec.evaluation.tasks.problems import Problem
from cosec.evaluation.tasks.samples import Sample


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    program_runs.run_problem_tests.cache_clear()
    program_runs.run_driver.cache_clear()


def test_equal_programs_are_run_once_and_programs_under_other_tests_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, str]] = []

    def run(program: str, tests: str) -> FunctionVerdict:
        ran.append((program, tests))
        return FunctionVerdict(passed="1" in program, reason=tests)

    monkeypatch.setattr(function_check, "run_tests", run)

    def judged(tests: str, *texts: str) -> list[bool]:
        problem = Problem(task_id="T", prompt="def f():", tests=tests, entry_point="f", stop=(), reference="")
        samples = [Sample(task="T", sample=i, text=t, finish_reason="stop", tokens=1) for i, t in enumerate(texts)]
        verdicts = judge_problem(problem, samples, prompt=problem.prompt)
        assert {one.reason for one in verdicts} == {tests}
        return [one.passed for one in verdicts]

    one, two = "\n    return 1\n", "\n    return 2\n"
    assert judged("a", one) == [True]
    assert judged("a", two, one, one) == [False, True, True]
    assert len(ran) == 2
    assert judged("b", one) == [True]
    assert len(ran) == 3


def test_a_c_program_is_run_again_with_other_inputs_only() -> None:
    class Driver:
        seen: list[str] = []  # noqa: RUF012 - of this test alone

        def sees(self, inputs: DriverInputs) -> frozenset[str]:
            return frozenset()

        def judge(self, program: str, inputs: DriverInputs) -> DriverVerdict:
            self.seen.append(program + inputs.runs[0].stdin)
            return DriverVerdict(functional=True)

    driver = Driver()
    for stdin in ("x", "x", "y"):
        program_runs.run_driver(driver, "int f;", DriverInputs(runs=(DriverRun(stdin=stdin),)).model_dump_json())
    assert driver.seen == ["int f;x", "int f;y"]
