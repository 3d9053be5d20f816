"""The Python interpreter that runs inside the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path


def base_interpreter() -> str:
    """Path of the interpreter behind a virtual environment; the sandbox does not show the environment's own folder."""
    base = Path(sys.base_exec_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    return str(base) if base.exists() else sys.executable
