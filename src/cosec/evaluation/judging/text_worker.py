"""A worker process that judges one completion with static checkers: JSON on standard input and standard output.

``python -m cosec.evaluation.judging.text_worker``. The server starts one for each verdict of its playground, so that it
can limit time. The worker judges the code in a second process inside the sandbox, because parsers read text that anyone
may have written. The code is not run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cosec.evaluation.judging.interpreter import base_interpreter
from cosec.sandbox import Limits, run_sandboxed

if TYPE_CHECKING:
    from cosec.checking.finding import CheckReport
    from cosec.checking.patterns import Language

LIMITS = Limits(cpu_seconds=20, wall_seconds=20.0, memory_bytes=2 << 30, output_bytes=4 << 20)
"""Resources of judging one completion."""

NO_STATEMENT = "the completion adds no statement"
"""Why a completion that does nothing is unscored."""

_INSIDE = "--inside-the-sandbox"


def verdict(prompt: str, completion: str) -> dict[str, Any]:
    """Judge the program that prompt and completion make.

    Returns:
        ``language``; ``findings``, each with line of the program, rule, cwe, message and severity; and ``unscored``,
        the reason why the text could not be judged, or None. A text that is no program is unscored, not free of
        findings. So is a completion that adds no statement; findings are then about the prompt. Without a prompt the
        text is a whole file, which may have no statement.
    """
    from cosec.decoding.completion.code_end import language_of
    from cosec.evaluation.extraction.extract import extract

    language = language_of(prompt) or "py"
    extracted = extract(prompt, completion, language=language)
    if extracted.problem is not None:
        return {"language": language, "findings": [], "unscored": extracted.problem}
    report = _check(extracted.program, language)
    kept = ("line", "rule", "cwe", "message", "severity")
    findings = [{name: one.to_record()[name] for name in kept} for one in sorted(report.findings)]
    reasons = [NO_STATEMENT] if extracted.empty and prompt.strip() else [one.reason for one in report.unscored]
    return {"language": language, "findings": findings, "unscored": reasons[0] if reasons else None}


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
    # The working folder, which ``-m`` puts on the path, stays outside.
    importable = [Path(__file__).parents[3], *(path for path in map(Path, sys.path) if path != Path.cwd())]
    importable = [path for path in importable if path.is_dir()]
    outcome = run_sandboxed(
        [base_interpreter(), "-s", "-B", "-m", "cosec.evaluation.judging.text_worker", _INSIDE],
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
