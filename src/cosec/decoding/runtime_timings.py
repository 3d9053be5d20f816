"""How fast each way of running a pair is on this machine: measured once by ``cosec bench runtime``, kept in the cache.

A measurement counts for this processor, these versions and threads, and the files that were measured. Under any other
circumstances there is none.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cosec.errors import SettingsError
from cosec.files import write_atomically
from cosec.models.adapters import ADAPTER_WEIGHTS
from cosec.models.identity import file_sha256
from cosec.models.loading.embedded import gguf_file
from cosec.models.loading.load import NO_SECURITY, resolve_security
from cosec.models.loading.quantised import require_gguf_file
from cosec.models.loading.store import cache_root, writing_to_the_cache

Way = Literal["llama.cpp", "llama.cpp with a copy", "torch"]
"""A way to run a pair: llama.cpp with the security model as it is, the same with a security copy, or torch."""


class Timings(BaseModel):
    """A measurement of one pair on one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    """The target's name."""

    security: str
    """The security model's name."""

    rule: str
    """The rule that was measured, with its settings."""

    machine: Mapping[str, str]
    """The machine, as ``machine_facts`` tells it."""

    measured: str
    """Date of the measurement, as YYYY-MM-DD."""

    milliseconds: Mapping[Way, Mapping[int, float]]
    """Milliseconds in which every row gets one token, by the number of rows, for each way that was measured."""

    torch_bytes: int
    """Bytes of memory that torch needs for the weights; 0 if it was not measured."""

    def at(self, rows: int) -> dict[Way, float]:
        """Milliseconds of a token for every row, by way, at the measured number of rows that is nearest by ratio."""
        found = {}
        for way, times in self.milliseconds.items():
            nearest = min(sorted(times), key=lambda one: abs(math.log(one / rows)))
            found[way] = times[nearest]
        return found


def timings_of(target: str, security: str) -> Timings | None:
    """The measurement of a pair on this machine.

    Args:
        target: A GGUF file or a pulled embedded model.
        security: Its security model or adapter, as for ``load_pair``.

    Returns:
        None if there is none, or it cannot be read.

    Raises:
        ModelError: If the security model does not exist.
    """
    with suppress(OSError, SettingsError, ValidationError):
        return Timings.model_validate_json(_file_of(target, security).read_text(encoding="utf-8"))
    return None


def keep_timings(timings: Timings, target: str, security: str) -> Path:
    """Keep a measurement in the cache, in place of an earlier one.

    Returns:
        The file.

    Raises:
        ModelError: If the cache cannot be written.
    """
    file = _file_of(target, security)
    with writing_to_the_cache():
        write_atomically(file, timings.model_dump_json(indent=1) + "\n")
    return file


def _file_of(target: str, security: str) -> Path:
    from cosec.runtime.machine import machine_facts

    parts = [machine_facts(), file_sha256(require_gguf_file(target)), _identity(target, security)]
    return cache_root() / "runtimes" / f"{hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}.json"


def _identity(target: str, security: str) -> str:
    """The weights of a security model: the hash of its file, or ``none``."""
    if security == NO_SECURITY:
        return NO_SECURITY
    file = gguf_file(security)
    folder = None if file is not None else resolve_security(target, security)
    if folder is not None:
        file = folder / ADAPTER_WEIGHTS
    return NO_SECURITY if file is None else file_sha256(file)
