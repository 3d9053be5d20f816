"""The identity of a model's weights: one hash, which tells whether an adapter belongs to a base.

The hash covers names, types, shapes and values of all tensors, sorted by name. So it does not depend on how the weights
are split into files. Hashing 500 MB takes seconds, so results are kept in the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from cosec.errors import SettingsError
from cosec.files import write_atomically
from cosec.models.loading.checks import read_tensors, weight_files
from cosec.models.loading.store import cache_root

CHUNK_BYTES = 1 << 24
"""Bytes of a file that are hashed at once."""


def model_fingerprint(path: Path) -> str:
    """Hash the weights of a model; the result is remembered until a file's size or modification time changes.

    Args:
        path: A model folder, as ``resolve_model`` returns it.

    Returns:
        A SHA-256 in hexadecimal.

    Raises:
        ModelError: If the folder has no readable safetensors weights.
    """
    files = weight_files(path)
    return _remembered("weights", files, lambda: _hash_tensors(files))


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; remembered until the file's size or modification time changes."""
    return _remembered("file", [path], lambda: hash_file(path))


def hash_file(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; reads the file every time."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _hash_tensors(files: Sequence[Path]) -> str:
    tensors = {name: tensor for file in files for name, tensor in read_tensors(file).items()}
    digest = hashlib.sha256()
    with ExitStack() as stack:
        # Read, not mapped: mapped pages of a whole model would count as memory of this process.
        contents = {file: stack.enter_context(file.open("rb")) for file in files}
        for name, tensor in sorted(tensors.items()):
            digest.update(json.dumps([name, tensor.dtype, tensor.shape]).encode())
            contents[tensor.file].seek(tensor.start)
            for start in range(tensor.start, tensor.end, CHUNK_BYTES):
                digest.update(contents[tensor.file].read(min(CHUNK_BYTES, tensor.end - start)))
    return digest.hexdigest()


def _remembered(kind: str, files: Sequence[Path], compute: Callable[[], str]) -> str:
    """Look up the hash of unchanged files, or compute and store it."""
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = hashlib.sha256(json.dumps([kind, stamps]).encode()).hexdigest()
    with suppress(OSError, SettingsError):
        kept = (cache_root() / "fingerprints" / key).read_text(encoding="ascii").strip()
        if len(kept) == len(key):
            return kept
    computed = compute()
    # Without a cache that can be written, the hash is computed again next time.
    with suppress(OSError, SettingsError):
        write_atomically(cache_root() / "fingerprints" / key, computed + "\n")
    return computed
