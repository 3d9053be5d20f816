"""Where a measurement was made: processor, threads and versions, recorded with every number."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch

_PACKAGES = ("cosec", "torch", "transformers")


def environment() -> dict[str, str | int]:
    """Processor or GPU, threads and versions of this process."""
    found: dict[str, str | int] = {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
