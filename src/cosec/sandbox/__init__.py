"""Run untrusted programs in isolation, within limits of time, memory and output.

Under the backend ``bubblewrap`` a program sees a read-only system (``/usr`` and the Python installation). It has no
network, no capabilities and its own process table, and its environment holds PATH, HOME, LANG and what the caller adds.
It can write to ``/tmp`` and ``/dev/shm`` only, both of limited size and deleted afterwards. Limits on CPU time, wall
time, memory, processes, file size and output end it, together with every process that it started.

What bubblewrap does *not* cover:

- The kernel: a program that exploits it escapes. Use a virtual machine where that matters.
- Files below ``/usr`` that everyone may read, and what the caller names in ``read_only``.
- Memory and process count of the program as a whole, unless a control group can be created (root, cgroup v1).
  Otherwise memory is limited per process and the process count is the kernel's count per user. For root without control
  groups, only the wall time bounds the number of processes.
- The number of files in a ``work_folder``, which is on the host's disk: only the size of each file is limited there.
- Side channels of the processor, and how long a program keeps the cores busy within its limits.

Under the backend ``limits`` a program is an ordinary subprocess with resource limits. It can read and write all that
the user can, use the network and send signals to the user's processes. A process that leaves its session outlives it.
Use it for trusted code only. It is never chosen silently: see `choose_sandbox`.
"""

from cosec.sandbox.backends import Backend, Program
from cosec.sandbox.choice import BACKENDS, SANDBOX_VARIABLE, BackendName, choose_sandbox, current_sandbox
from cosec.sandbox.limits import Limits, Outcome
from cosec.sandbox.run import run_sandboxed

__all__ = [
    "BACKENDS",
    "SANDBOX_VARIABLE",
    "Backend",
    "BackendName",
    "Limits",
    "Outcome",
    "Program",
    "choose_sandbox",
    "current_sandbox",
    "run_sandboxed",
]
