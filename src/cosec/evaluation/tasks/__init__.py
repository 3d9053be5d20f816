"""Tasks: scenarios and function problems, read from files."""

from cosec.evaluation.tasks.problems import Problem, human_eval, humaneval_format, mbpp
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.scenarios import (
    Depth,
    Reference,
    Scenario,
    Split,
    functional_files,
    own_scenarios,
    shipped_folder,
)
from cosec.evaluation.tasks.sven_scenarios import sven_scenarios
from cosec.evaluation.tasks.tasks import Benchmark, PromptFormat, Task, expand, tasks_of

__all__ = [
    "Benchmark",
    "Depth",
    "Problem",
    "PromptFormat",
    "Reference",
    "Sample",
    "Scenario",
    "Split",
    "Task",
    "expand",
    "functional_files",
    "human_eval",
    "humaneval_format",
    "mbpp",
    "own_scenarios",
    "shipped_folder",
    "sven_scenarios",
    "tasks_of",
]
