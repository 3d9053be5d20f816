"""API keys: who may use the server. Only hashes are stored, and comparing takes the same time for every key.

A key is 32 random bytes, so a plain SHA-256 of it cannot be searched; passwords would need more.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cosec.errors import SettingsError

_LINE = re.compile(r"([A-Za-z0-9_.-]{1,64})\s+([0-9a-f]{64})")
_PREFIX = "cosec-"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a server: a name for each hash."""

    hashes: tuple[tuple[str, bytes], ...]
    """Name and SHA-256 of each key."""

    def owner(self, key: str) -> str | None:
        """The name of this key; None for an unknown one. Every stored hash is compared, whatever the others said."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self.hashes:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def read_keys(path: Path) -> KeyRing:
    """Read a key file: lines of a name and a hash; ``#`` starts a comment.

    Raises:
        SettingsError: If it cannot be read, holds no key or a malformed line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read the API key file {str(path)!r}: {error}.") from error
    hashes = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingsError(
                f"Line {number} of {str(path)!r} is not a name and a hash; make keys with: cosec serve-key NAME --file "
                f"{path}"
            )
        hashes.append((match[1], bytes.fromhex(match[2])))
    if not hashes:
        raise SettingsError(f"{str(path)!r} holds no key; make one with: cosec serve-key NAME --file {path}")
    return KeyRing(tuple(hashes))


def add_key(path: Path, name: str) -> str:
    """Make a key, append its hash to a file that only its owner can read, and return the key.

    Raises:
        SettingsError: If the name is malformed or taken, or the file cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise SettingsError(f"{name!r} cannot name a key: use letters, digits, dots and dashes, at most 64.")
    if path.exists() and path.stat().st_size and any(known == name for known, _ in read_keys(path).hashes):
        raise SettingsError(f"{str(path)!r} has a key called {name!r} already; delete its line or choose another name.")
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n")
    except OSError as error:
        raise SettingsError(f"Cannot write the API key file {str(path)!r}: {error.strerror}.") from error
    return key
