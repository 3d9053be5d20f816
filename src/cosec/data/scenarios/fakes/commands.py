"""Stand-ins for shell commands: they write down their arguments and print what the test asks for."""

import os
import shlex
from pathlib import Path

_FOLDER = Path("fake-commands").resolve()


def install(name, *, prints="", exit_code=0, also=""):
    """Put a command on the PATH that prints a text; ``also`` is a line of shell that it runs with its arguments."""
    _FOLDER.mkdir(exist_ok=True)
    script = _FOLDER / name
    script.write_text(
        "#!/bin/sh\n"
        f"{{ for word in \"$@\"; do printf '%s\\037' \"$word\"; done; printf '\\036'; }} >> {shlex.quote(str(_log(name)))}\n"
        f"{also}\n"
        f"printf '%s' {shlex.quote(prints)}\n"
        f"exit {exit_code}\n"
    )
    script.chmod(0o755)
    if not os.environ["PATH"].startswith(str(_FOLDER)):
        os.environ["PATH"] = f"{_FOLDER}{os.pathsep}{os.environ['PATH']}"


def calls(name):
    """The argument lists with which the command was run so far."""
    if not _log(name).exists():
        return []
    return [call.split("\037")[:-1] for call in _log(name).read_text().split("\036")[:-1]]


def _log(name):
    return _FOLDER / f"{name}.calls"
