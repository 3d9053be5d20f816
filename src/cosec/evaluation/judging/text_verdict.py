"""What the default static checkers say about one completion: JSON on standard input, JSON on standard output.

``python -m cosec.evaluation.judging.text_verdict`` is a process of its own, so that the server's playground can bound
its time. It reads the code in another process inside the sandbox: parsers take text that anyone may have written. The
code is not run.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cosec.sandbox import Limits, run_sandboxed

if TYPE_CHECKING:
    from cosec.checking.finding import CheckReport
    from cosec.checking.patterns import Language

LIMITS = Limits(cpu_seconds=20, wall_seconds=20.0, memory_bytes=2 << 30, output_bytes=4 << 20)
"""What reading one completion may use."""

_INSIDE = "--inside-the-sandbox"


def verdict(prompt: str, completion: str) -> dict[str, Any]:
    """The checkers' findings in the program that prompt and completion make.

    Returns:
        ``language``, ``findings`` (line of the program, rule, cwe, message, severity), and ``unscored``: why the text
        could not be judged, None where it could. A text that is no program is unscored, never free of findings.
    """
    from cosec.evaluation.extraction.extract import extract

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
    from cosec.checking.registry import make_checker

    with TemporaryDirectory() as folder:
        path = Path(folder) / f"completion.{language}"
        path.write_text(program, encoding="utf-8", errors="replace")
        return make_checker({"py": "flow", "c": "c-static"}[language]).check([path])


def main() -> None:
    """Answer the request on standard input.

    Raises:
        SandboxError: If programs cannot be isolated here.
    """
    request = sys.stdin.buffer.read()
    if sys.argv[1:] == [_INSIDE]:
        asked = json.loads(request)
        json.dump(verdict(asked["prompt"], asked["completion"]), sys.stdout)
        return
    # The working folder, which ``-m`` puts on the path, is nobody's business there.
    importable = [Path(__file__).parents[3], *(path for path in map(Path, sys.path) if path != Path.cwd())]
    importable = [path for path in importable if path.is_dir()]
    outcome = run_sandboxed(
        [sys._base_executable, "-s", "-B", "-m", "cosec.evaluation.judging.text_verdict", _INSIDE],  # type: ignore[attr-defined]
        stdin=request,
        env={"PYTHONPATH": ":".join(str(path.resolve()) for path in importable)},
        limits=LIMITS,
        read_only=importable,
    )
    sys.stderr.buffer.write(outcome.stderr)
    sys.stdout.buffer.write(outcome.stdout)
    sys.exit(0 if outcome.returncode == 0 else 1)


if __name__ == "__main__":
    main()
