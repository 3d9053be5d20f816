"""API keys: only their hashes are stored, and a comparison takes the same time for every key.

A key is 32 random bytes, so its plain SHA-256 cannot be searched. Passwords would need a slow hash.
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
from cosec.files import why_unreadable

_LINE = re.compile(r"([A-Za-z0-9_.-]{1,64})\s+([0-9a-f]{64})")
_PREFIX = "cosec-"


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of a server."""

    hashes: tuple[tuple[str, bytes], ...]
    """Name of the owner and SHA-256 of each key."""

    def owner(self, key: str) -> str | None:
        """The name of the owner of a key; None if the key is unknown. Every stored hash is compared."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self.hashes:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def read_keys(path: Path) -> KeyRing:
    """Read a key file.

    Args:
        path: A text file with a name and a hash on each line; ``#`` starts a comment.

    Returns:
        Its keys, at least one.

    Raises:
        SettingsError: If the file cannot be read, has no key, or has a malformed line.
    """
    hashes = _parsed(_text(path), path)
    if not hashes:
        raise SettingsError(f"{str(path)!r} has no key; create one with: cosec serve-key NAME --file {path}")
    return KeyRing(hashes)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read the API key file {str(path)!r}: {why_unreadable(error)}.") from error


def _parsed(text: str, path: Path) -> tuple[tuple[str, bytes], ...]:
    """Name and hash of each key in the text of a key file; possibly none."""
    hashes = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingsError(
                f"Line {number} of {str(path)!r} is not a name and a hash; delete it, and create keys with: "
                f"cosec serve-key NAME --file {path}"
            )
        hashes.append((match[1], bytes.fromhex(match[2])))
    return tuple(hashes)


def add_key(path: Path, name: str) -> str:
    """Create a key and append its hash to a key file that only its owner can read.

    Args:
        path: The key file; created if it does not exist.
        name: Name of the key's owner.

    Returns:
        The key, which is stored nowhere.

    Raises:
        SettingsError: If the name is malformed or taken, or the file is malformed or cannot be written.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise SettingsError(f"{name!r} cannot name a key: use letters, digits, dots and dashes, at most 64.")
    before = _text(path) if path.is_file() else ""
    if any(known == name for known, _ in _parsed(before, path)):
        raise SettingsError(f"{str(path)!r} already has a key called {name!r}; delete its line or choose another name.")
    key = _PREFIX + secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"
    if before and not before.endswith("\n"):
        line = f"\n{line}"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write(line)
    except OSError as error:
        raise SettingsError(f"Cannot write the API key file {str(path)!r}: {error.strerror}.") from error
    return key
