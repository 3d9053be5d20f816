"""Who judges a study by default, and which version of them it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cosec.evaluation.judging.judging import Judges

_DECIDING = (
    "evaluation/extraction/c_program.py",
    "evaluation/extraction/extract.py",
    "evaluation/extraction/python_program.py",
    "evaluation/judging/function_check.py",
    "evaluation/judging/judging.py",
    "evaluation/judging/proof_runner.py",
    "evaluation/judging/verdicts.py",
    "sandbox/backends.py",
    "sandbox/limits.py",
    "sandbox/process.py",
    "sandbox/run.py",
)
"""Files beside the checkers' own that a verdict depends on."""


def default_judges() -> Judges:
    """Python: the flow analysis. C: run under the sanitizers where the scenario has inputs, else read."""
    from cosec.checking.c.sanitizer import SanitizerDriver
    from cosec.checking.registry import make_checker, study_checkers

    return Judges(
        checkers={
            "py": tuple(map(make_checker, study_checkers("py"))),
            "c": tuple(map(make_checker, study_checkers("c"))),
        },
        driver=SanitizerDriver(),
    )


def judges_version() -> str:
    """Twelve hex digits that change whenever a file changes that a verdict depends on."""
    here = Path(__file__).parents[2]
    files = [here / name for name in _DECIDING]
    files += [path for path in (here / "checking").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
