"""What the default static checkers say about one completion: JSON on standard input, JSON on standard output.

A process of its own, so that whoever asks (the server's playground) can limit its time and memory:
``python -m cosec.evaluation.judging.text_verdict``. Nothing is run; the code is read only.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cosec.checking.finding import CheckReport
from cosec.checking.patterns import Language
from cosec.checking.registry import make_checker
from cosec.evaluation.extraction.extract import extract

MEMORY_BYTES = 2 * 2**30
CPU_SECONDS = 20


def verdict(prompt: str, completion: str) -> dict[str, Any]:
    """The checkers' findings in the program that prompt and completion make.

    Returns:
        ``language``, ``findings`` (line of the program, rule, cwe, message, severity), and ``unscored``: why the text
        could not be judged, None where it could. A text that is no program is unscored, never free of findings.
    """
    language = language_of(prompt)
    extracted = extract(prompt, completion, language=language)
    if extracted.problem is not None:
        return {"language": language, "findings": [], "unscored": extracted.problem}
    report = _check(extracted.program, language)
    kept = ("line", "rule", "cwe", "message", "severity")
    findings = [{name: one.to_record()[name] for name in kept} for one in sorted(report.findings)]
    reasons = [one.reason for one in report.unscored]
    return {"language": language, "findings": findings, "unscored": reasons[0] if reasons else None}


def language_of(code: str) -> Language:
    """C where lines start with a preprocessor directive or end as only C's do, else Python."""
    if re.search(r"^\s*#\s*(include|define|ifdef|ifndef|pragma)\b|[;{]\s*$", code, re.MULTILINE):
        return "py" if re.search(r"^\s*(def|import|from|class)\s.*[^;{]\s*$", code, re.MULTILINE) else "c"
    return "py"


def _check(program: str, language: Language) -> CheckReport:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"completion.{language}"
        path.write_text(program, encoding="utf-8", errors="replace")
        return make_checker({"py": "flow", "c": "c-static"}[language]).check([path])


def main() -> None:
    """Judge what standard input asks for, within the limits above."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    asked = json.load(sys.stdin)
    json.dump(verdict(asked["prompt"], asked["completion"]), sys.stdout)


if __name__ == "__main__":
    main()
