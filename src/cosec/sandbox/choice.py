"""Which backend isolates programs: bubblewrap, unless resource limits alone are asked for by name.

The choice is made once per command and kept in the environment variable ``COSEC_SANDBOX``, so that processes which the
command starts make the same choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from cosec.errors import SandboxError
from cosec.sandbox.backends import Backend, Bubblewrap, LimitsOnly

BackendName = Literal["bubblewrap", "limits"]
"""The name of a backend, as ``--sandbox`` takes it."""

SANDBOX_VARIABLE = "COSEC_SANDBOX"
"""Environment variable that names the backend."""

BACKENDS: Mapping[str, Backend] = {backend.name: backend for backend in (Bubblewrap(), LimitsOnly())}
"""Every backend by its name."""

DEFAULT_BACKEND = Bubblewrap.name
"""The backend to use if none was chosen."""


def choose_sandbox(name: str | None = None, *, fallback: str | None = None) -> Backend:
    """Choose the backend for this process and for the processes that it starts.

    Args:
        name: The backend that the user asked for, such as by ``--sandbox``.
        fallback: The backend to use if neither ``name`` nor ``COSEC_SANDBOX`` is given, such as a recipe's.

    Returns:
        The backend, which can be used on this machine.

    Raises:
        SandboxError: If there is no backend of that name, or it cannot be used here; names the remedy.
    """
    chosen = name or os.environ.get(SANDBOX_VARIABLE) or fallback
    backend = _usable(chosen or DEFAULT_BACKEND)
    if chosen is not None:
        os.environ[SANDBOX_VARIABLE] = chosen
    return backend


def current_sandbox() -> Backend:
    """The backend that `choose_sandbox` or ``COSEC_SANDBOX`` chose; bubblewrap if there was no choice.

    Raises:
        SandboxError: If there is no backend of that name, or it cannot be used here; names the remedy.
    """
    return _usable(os.environ.get(SANDBOX_VARIABLE) or DEFAULT_BACKEND)


def _usable(name: str) -> Backend:
    backend = BACKENDS.get(name)
    if backend is None:
        raise SandboxError(f"There is no sandbox {name!r}; choose from {', '.join(BACKENDS)}.")
    problem = backend.problem()
    if problem is not None:
        raise SandboxError(
            f"Untrusted programs are not run: {problem}. Install the package bubblewrap, or run them under resource "
            f"limits alone with --sandbox limits or {SANDBOX_VARIABLE}=limits; they can then read and write all that "
            "you can."
        )
    return backend
