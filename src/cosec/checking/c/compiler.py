"""Whether C source compiles: gcc's syntax check, in the sandbox, because source can include files by name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from cosec.errors import CheckerError
from cosec.sandbox import Limits, run_sandboxed

_LIMITS = Limits(cpu_seconds=20, wall_seconds=20.0, limit_address_space=False)


def compile_error(source: str, *, include: Path | None = None) -> str | None:
    """Check C source with ``gcc -fsyntax-only``; nothing is linked or run.

    Args:
        source: The text of one translation unit.
        include: Folder whose headers it may include, in addition to the system's.

    Returns:
        The first error, such as ``line 3: 'x' undeclared``; None if the source compiles.

    Raises:
        CheckerError: If gcc is not installed, or cannot start its own processes.
        SandboxError: If programs cannot be isolated here.
    """
    if shutil.which("gcc") is None:
        raise CheckerError("gcc is not installed, and C programs cannot be judged without it; install gcc.")
    folder = None if include is None else include.resolve()
    outcome = run_sandboxed(
        ["gcc", "-fsyntax-only", "-w", "-std=gnu11", *([] if folder is None else [f"-I{folder}"]), "-x", "c", "-"],
        stdin=source.encode(errors="replace"),
        env={"LC_ALL": "C"},
        limits=_LIMITS,
        read_only=() if folder is None else (folder,),
    )
    if outcome.timed_out:
        return "the compiler took too long"
    if outcome.returncode == 0:
        return None
    messages = outcome.stderr.decode(errors="replace")
    require_started(messages)
    found = re.search(r"(\d+):\d+: (?:fatal )?error: (.*)", messages)
    return f"line {found[1]}: {found[2]}" if found else "does not compile"


def require_started(messages: str) -> None:
    """Refuse messages of gcc about the machine and not about the program: it starts processes of its own.

    Raises:
        CheckerError: If it could not start one.
    """
    found = re.search(r"^(?:\S*[/-])?gcc\S*: fatal error: cannot execute .*", messages, re.MULTILINE)
    if found is not None:
        raise CheckerError(
            f"gcc cannot start its own processes here ({found[0].strip()}): close other programs, raise the limit of "
            "processes, or use bubblewrap."
        )
