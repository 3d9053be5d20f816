"""How OpenMP threads wait for each other: they spin briefly, then sleep.

A product over several threads ends with a barrier. By default threads spin there for milliseconds, so when another
program takes one of the cores, the others burn their time until the delayed thread is scheduled again. Spinning less
helps then, and costs a little time on an idle machine. `benchmarks/wait_policy.py` measures both, and decision 16 has
the figures. The variable is read when the OpenMP library is loaded, so it is set before torch is imported.
"""

import os

WAITING = {"GOMP_SPINCOUNT": "1000"}
"""Iterations before a thread sleeps, for GNU's OpenMP library, which torch uses on Linux."""


def limit_spinning() -> None:
    """Set the waiting variable, unless the user has set it or ``OMP_WAIT_POLICY``."""
    if not {"OMP_WAIT_POLICY", *WAITING} & os.environ.keys():
        os.environ.update(WAITING)
