"""Who judges a study by default, and which version of them it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cosec.evaluation.judging import Judges

_DECIDING = (
    "c_program.py",
    "driver_inputs.py",
    "extraction.py",
    "function_check.py",
    "judging.py",
    "limited_process.py",
    "proof_runner.py",
    "python_program.py",
    "sandbox.py",
    "verdicts.py",
)
"""Files beside the checkers' own that a verdict depends on."""


def default_judges() -> Judges:
    """Python: the flow analysis. C: run under the sanitizers where the scenario has inputs, else read."""
    from cosec.evaluation.checkers.registry import make_checker, study_checkers
    from cosec.evaluation.checkers.sanitizer import SanitizerDriver

    return Judges(
        checkers={
            "py": tuple(map(make_checker, study_checkers("py"))),
            "c": tuple(map(make_checker, study_checkers("c"))),
        },
        driver=SanitizerDriver(),
    )


def judges_version() -> str:
    """Twelve hex digits that change whenever a file changes that a verdict depends on."""
    here = Path(__file__).parent
    files = [here / name for name in _DECIDING]
    files += [path for path in (here / "checkers").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
