"""Inputs for an arbitrary C program: empty, long, negative, huge and boundary arguments and lines."""

from __future__ import annotations

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun

_LONG = "A" * 5000
_NUMBERS = ("0", "-1", "1", "10", "100", "100000", "2147483647", "-2147483648", "4294967295", "9223372036854775807")
_TEXTS = ("", "   ", "a", "hello", _LONG, "%s%n%x", "a b c")


def _runs() -> list[DriverRun]:
    lines = "\n".join(("3", "hello", "5", "world", "7")) + "\n"
    runs = [DriverRun(argv=(), stdin=lines), DriverRun(argv=(), stdin="")]
    for text in (*_NUMBERS, *_TEXTS):
        runs.append(DriverRun(argv=(text,), stdin=f"{text}\n" * 3))
    for number in _NUMBERS:
        runs.append(DriverRun(argv=("5", number), stdin=f"5\n{number}\n{number}\n"))
    runs += [DriverRun(argv=(_LONG,) * 3, stdin=_LONG), DriverRun(argv=("4", "hello", "2"), stdin=lines)]
    runs += [DriverRun(argv=("4", "hello", "2"), stdin=lines, rand=rand) for rand in (0, 2147483647)]
    runs += [
        DriverRun(argv=("4", "hello", "2"), stdin=lines, fail_malloc=True),
        DriverRun(stdin=lines, fail_malloc=True),
    ]
    return runs


GENERAL_INPUTS = DriverInputs(runs=tuple(_runs()), check_created_files=True)
"""Return the inputs."""
