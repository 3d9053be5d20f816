from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cosec.models.loading.host_memory import _PROGRAMS

FAULTS = """
import resource, torch
from cosec.models.loading.host_memory import suit_memory_to_decoding
print(suit_memory_to_decoding())
for step in range(60):
    if step == 10: before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.zeros(2_500_000).exp()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def output(program: str, **environment: str) -> list[str]:
    # Small pages, so that their number tells how often memory was taken afresh.
    environment = {"THP_MEM_ALLOC_ENABLE": "0", **environment}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_blocks_of_a_step_are_kept_for_the_next() -> None:
    kept, faults = output(FAULTS)
    assert kept == "True"
    assert int(faults) < 10_000, "fifty steps over 20 MB must not fault in 50 times 5 000 pages"


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_what_the_environment_says_of_the_allocator_comes_first() -> None:
    program = "from cosec.models.loading.host_memory import suit_memory_to_decoding as suit; print(suit())"
    assert output(program, MALLOC_MMAP_THRESHOLD_="131072") == ["False"]
    assert output(program) == ["True"]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_gaps_between_kept_blocks_go_back_to_the_system() -> None:
    program = """
import torch
from pathlib import Path
from cosec.models.loading.host_memory import give_back_free_memory, suit_memory_to_decoding
def resident(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024
suit_memory_to_decoding()
blocks = [torch.ones(250_000) for _ in range(200)]
del blocks[::2]
before = resident()
give_back_free_memory()
print(before - resident())
"""
    environment = {**os.environ, "THP_MEM_ALLOC_ENABLE": "0"}
    freed = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert int(freed.stdout) > 70, "megabytes of a hundred that were freed between others"


PROGRAMS = """
import torch
from pathlib import Path
from cosec.models.loading import host_memory
from cosec.runtime.torch.cpu.packed_linear import PackedLinear
def resident(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024
if {bound}: host_memory._PROGRAMS = dict.fromkeys(host_memory._PROGRAMS, str({bound}))
host_memory.suit_memory_to_decoding()
maps = [PackedLinear(torch.nn.Linear(64, width)) for width in (32, 96)]
def meet(counts):
    for rows in counts:
        for one in maps: one(torch.ones(rows, 64))
    host_memory.give_back_free_memory()
with torch.inference_mode():
    meet(range(1, {first}))
    before = resident()
    meet(range({first}, {first} + {more}))
    print(resident() - before)
"""


def grown(*, bound: int | None, first: int, more: int) -> int:
    """Megabytes that a process grows by when it meets ``more`` numbers of rows after the ``first``.

    Args:
        bound: How many compiled programs are kept, of which each number of rows takes two; None for our own bound.
        first: Numbers of rows that it met before.
        more: Numbers of rows that it meets.
    """
    command = [sys.executable, "-c", PROGRAMS.format(bound=bound, first=first, more=more)]
    environment = {name: value for name, value in os.environ.items() if name not in _PROGRAMS}
    environment["OMP_NUM_THREADS"] = "1"
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize(
    ("bound", "first", "more"), [(32, 23, 28), pytest.param(None, 135, 55, marks=pytest.mark.slow)]
)
def test_the_memory_of_compiled_programs_is_bounded(bound: int | None, first: int, more: int) -> None:
    assert grown(bound=bound, first=first, more=more) < 15, "megabytes; each program that is kept takes half of one"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_without_the_bound_the_memory_of_compiled_programs_grows() -> None:
    assert grown(bound=4096, first=23, more=28) > 15
