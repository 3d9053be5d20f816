"""The start of the command ``cosec``: nothing is imported before Ctrl-C is handled."""

import signal
import sys


def start() -> int:
    """Run the command line of this process, and end in one line if Ctrl-C arrives while it is loaded."""
    try:
        from cosec.cli.main import main

        return main()
    except KeyboardInterrupt:
        print("\ncosec: stopped", file=sys.stderr)  # noqa: T201 - a message
        return 128 + signal.SIGINT
