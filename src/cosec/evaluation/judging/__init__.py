"""Judging: from a program to a verdict on its security and its function.

The words: *judges* run checks, a *verdict* is what they say about one completion, and a *judgement* is a study's whole
set of verdicts by one version of the judges. A *worker* is a process that judges.

The names in ``__all__`` are public; their modules are imported when a name is first used, so that a text worker starts
quickly.
"""

from typing import TYPE_CHECKING

from cosec.lazy_names import lazy_names

if TYPE_CHECKING:
    from cosec.evaluation.judging.function_check import FunctionVerdict, run_functional_test, run_tests
    from cosec.evaluation.judging.identity import JUDGING_VERSION, judges_version, study_version, task_version
    from cosec.evaluation.judging.judge_problems import judge_problem
    from cosec.evaluation.judging.judge_scenarios import ScenarioSamples, judge_scenarios
    from cosec.evaluation.judging.judges import CDriver, Judges, default_judges
    from cosec.evaluation.judging.verdict import State, Verdict, mark_duplicates

__all__ = [
    "JUDGING_VERSION",
    "CDriver",
    "FunctionVerdict",
    "Judges",
    "ScenarioSamples",
    "State",
    "Verdict",
    "default_judges",
    "judge_problem",
    "judge_scenarios",
    "judges_version",
    "mark_duplicates",
    "run_functional_test",
    "run_tests",
    "study_version",
    "task_version",
]

__getattr__ = lazy_names(
    __name__,
    {
        "function_check": ("FunctionVerdict", "run_functional_test", "run_tests"),
        "identity": ("JUDGING_VERSION", "judges_version", "study_version", "task_version"),
        "judge_problems": ("judge_problem",),
        "judge_scenarios": ("ScenarioSamples", "judge_scenarios"),
        "judges": ("CDriver", "Judges", "default_judges"),
        "verdict": ("State", "Verdict", "mark_duplicates"),
    },
)
