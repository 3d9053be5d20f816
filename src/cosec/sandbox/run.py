"""Run an untrusted program, such as a generated one or a compiler on generated source, in the chosen sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from cosec.errors import SandboxError
from cosec.sandbox.backends import Backend, Program
from cosec.sandbox.choice import current_sandbox
from cosec.sandbox.limits import Limits, Outcome


def run_sandboxed(
    command: Sequence[str],
    *,
    files: Mapping[str, bytes | str] | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    read_only: Sequence[Path] = (),
    work_folder: Path | None = None,
    backend: Backend | None = None,
) -> Outcome:
    """Run a program in isolation and wait until it ends.

    Args:
        command: The program and its arguments. Relative names are looked up in the working folder.
        files: Files that the working folder contains at the start: relative name → content.
        stdin: Standard input of the program.
        env: Environment variables in addition to PATH, HOME and LANG.
        limits: Resources that it may use.
        read_only: Files and folders outside the system folders that it may read, under their own paths.
        work_folder: An existing folder to start in, which keeps what the program writes; None for a temporary one.
        backend: How it is isolated; None for `current_sandbox`.

    Returns:
        How the program ended.

    Raises:
        SandboxError: If a file name is not relative, the backend cannot be used here, or the program cannot be started.
    """
    program = Program(
        command=command,
        files=_encoded(files or {}),
        stdin=stdin,
        env=env or {},
        limits=limits or Limits(),
        read_only=read_only,
        work_folder=work_folder,
    )
    return (backend or current_sandbox()).run(program)


def _encoded(files: Mapping[str, bytes | str]) -> dict[str, bytes]:
    for name in files:
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts or not relative.parts:
            raise SandboxError(f"The file {name!r} would be outside the sandbox; give a relative name.")
    return {name: content.encode() if isinstance(content, str) else content for name, content in files.items()}
