"""A functional test that stops before its last line has failed, even where the program exits with 0."""

import atexit
import os

_reached = False


def reached():
    """Called by the last line of a test."""
    global _reached
    _reached = True


def _judge():
    if not _reached:
        os._exit(1)


atexit.register(_judge)
