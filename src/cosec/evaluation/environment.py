"""Where a measurement was made: processor, threads and versions, recorded with every number."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from cosec.runtime.machine import processor_name

_PACKAGES = ("cosec", "torch", "transformers")


def environment() -> dict[str, str | int]:
    """Processor or GPU, threads and versions of this process."""
    found: dict[str, str | int] = {
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found
