"""``cosec serve-key``: make an API key for ``cosec serve``."""

from __future__ import annotations

from pathlib import Path


def serve_key(name: str, /, *, file: Path) -> None:
    """Make an API key, print it once, and append its hash to a file for ``cosec serve --api-key-file``.

    Args:
        name: Owner of the key; the server takes turns and logs requests by this name.
        file: The key file; it is created if it does not exist.
    """
    from cosec.serving.access.keys import add_key

    print(add_key(file, name))  # noqa: T201 - the result
