"""A security copy: the target's file in 4 bits a weight with its adapter added, as the security model of a pair.

It drafts in less time than the adapter, and is another model with slightly other probabilities (decision 32). Copies
are kept in the cache, one for each base file, adapter and rule.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cosec.errors import ModelError, SettingsError
from cosec.models.identity import file_sha256
from cosec.models.loading.quantised import GgufPair
from cosec.models.loading.store import cache_root, writing_to_the_cache
from cosec.runtime.llama_cpp.quantisation import quantise

_WORKING_SPACE = 3.0
"""Bytes of disk while a copy is made, for each byte of the base's file; the matrices have 16 bits for a while."""

_SECONDS_PER_GIGABYTE = 40
"""Time to make a copy on two cores, measured with Qwen2.5-Coder-0.5B."""


def copy_file(pair: GgufPair, rule: Mapping[str, object]) -> Path:
    """The place of a pair's copy in the cache, whether or not it exists.

    Args:
        pair: A target with an adapter of its own.
        rule: Name and settings of the rule that the adapter carries.

    Raises:
        SettingsError: If the security model is not an adapter that was made for the target.
    """
    if pair.adapter is None or pair.security is not None:
        raise SettingsError(
            "--security-copy needs an adapter that was made for the target itself: leave it out, or name another "
            "security model."
        )
    told = hashlib.sha256(json.dumps(dict(rule), sort_keys=True).encode()).hexdigest()
    parts = (file_sha256(pair.target.file)[:20], file_sha256(pair.adapter.file)[:20], told[:8])
    return cache_root() / "gguf" / "copies" / f"{'-'.join(parts)}-q4_0.gguf"


def with_security_copy(
    pair: GgufPair, rule: Mapping[str, object], report: Callable[[str], None] = lambda message: None
) -> GgufPair:
    """The pair with a copy in place of its adapter; the copy is made if the cache has none.

    Args:
        pair: A target with an adapter of its own.
        rule: Name and settings of the rule that the adapter carries.
        report: Called with a line of text before a copy is made.

    Raises:
        SettingsError: If the security model is not such an adapter, or llama.cpp is not installed.
        ModelError: If the copy cannot be made, or the disk is too small for it.
    """
    file = copy_file(pair, rule)
    assert pair.adapter is not None  # copy_file has refused it
    if not file.is_file():
        size = pair.target.file.stat().st_size
        _require_space(size)
        seconds = max(1, round(size / 1e9 * _SECONDS_PER_GIGABYTE))
        report(
            f"Making a copy of {pair.target.name} with 4 bits a weight and its adapter added, once (about {seconds} s, "
            f"at most {size / 1e6:.0f} MB in {file.parent}) ..."
        )
        with writing_to_the_cache():
            quantise(file=pair.target.file, out=file, threads=os.cpu_count() or 1, adapter=pair.adapter.file, rule=rule)
    copied = replace(pair.target, name=f"the Q4_0 copy of {pair.target.name} with its adapter", file=file)
    return replace(pair, security=copied, adapter=None, target_is_base=True)


def _require_space(size: int) -> None:
    folder = cache_root()
    with writing_to_the_cache():
        folder.mkdir(parents=True, exist_ok=True)
    needed, free = _WORKING_SPACE * size, shutil.disk_usage(folder).free
    if needed > free:
        raise ModelError(
            f"A copy of the security model takes {needed / 1e9:.1f} GB of disk while it is made, and {folder} has "
            f"{free / 1e9:.1f} GB: free some, or use the adapter itself."
        )
