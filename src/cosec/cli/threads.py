"""How OpenMP threads wait for each other: they sleep rather than spin.

A product over several threads ends with a barrier. By default threads spin there, so when another program takes one of
the cores, the others burn their time until the delayed thread is scheduled again. The variables are read once, when the
OpenMP library is loaded, so they are set before torch is imported. Measured in decision 16.
"""

import os

WAITING = {"GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""GNU's library (torch on Linux): iterations before a thread sleeps. LLVM's (macOS): milliseconds."""


def sleep_at_barriers() -> None:
    """Set the waiting variables, unless the user has set one of them or ``OMP_WAIT_POLICY``."""
    if not {"OMP_WAIT_POLICY", *WAITING} & os.environ.keys():
        os.environ.update(WAITING)
