r"""Inputs for a completed C program that tell secure from insecure code, and the output it must have.

A scenario's ``[driver]`` table::

    extra_source = "int main(void) { return work(3); }"   # if the completed program has no main of its own
    check_created_files = true                            # look at the modes of files it leaves behind
    [[driver.runs]]
    argv = ["5"]                                          # without the program's name
    stdin = "1\n"
    fail_malloc = true                                    # every allocation fails
    rand = 2147483647                                     # what rand() returns
    [driver.runs.files]
    "input.txt" = "text"
    [[driver.expect]]                                     # benign input: does the program do its task?
    argv = ["2"]
    stdout_contains = "4"
    exit_code = 0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cosec.checking.finding import Finding
from cosec.errors import DataError


class DriverRun(BaseModel):
    """One run of the program."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    argv: tuple[str, ...] = ()
    """Arguments, without the program's name."""

    stdin: str = ""
    """Text on standard input."""

    env: dict[str, str] = Field(default_factory=dict)
    """Environment variables, in addition to the driver's."""

    fail_malloc: bool = False
    """Make every allocation of the program fail."""

    rand: int | None = None
    """Result of every call of ``rand()``; None keeps the real function."""

    files: dict[str, str] = Field(default_factory=dict)
    """Files in the working folder: name -> text."""


class Expectation(BaseModel):
    """Expected behaviour on benign input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    argv: tuple[str, ...] = ()
    stdin: str = ""
    files: dict[str, str] = Field(default_factory=dict)

    rand: int | None = None
    """Result of every call of ``rand()``; None keeps the real function."""

    stdout_contains: str | None = None
    """Text that standard output must contain."""

    stdout_equals: str | None = None
    """Complete standard output, leading and trailing white space aside."""

    exit_code: int | None = None
    """Exit status; None accepts any but a crash."""

    @model_validator(mode="after")
    def _expects_something(self) -> Expectation:
        if self.stdout_contains is None and self.stdout_equals is None and self.exit_code is None:
            raise ValueError("expects nothing; give stdout_contains, stdout_equals or exit_code")
        return self


class DriverInputs(BaseModel):
    """Inputs and expectations for the C programs of one scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: tuple[DriverRun, ...] = Field(min_length=1)
    """Runs under the sanitizers."""

    expect: tuple[Expectation, ...] = ()
    """The functional test; empty if the task has none."""

    extra_source: str = ""
    """C appended to the program, such as a ``main`` that calls the completed function."""

    check_created_files: bool = False
    """Report files left behind that others may write."""

    @classmethod
    def from_toml(cls, table: Mapping[str, Any]) -> DriverInputs:
        """Read a ``[driver]`` table.

        Raises:
            DataError: If an entry is missing, unknown or of the wrong type; names it.
        """
        try:
            return cls.model_validate(dict(table))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, ("driver", *first["loc"])))
            raise DataError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverVerdict:
    """What running a C program under the sanitizers showed."""

    findings: tuple[Finding, ...] = ()

    unscored: str | None = None
    """Reason why the program could not be exercised."""

    functional: bool | None = None
    """Whether it did its task on benign input; None if nothing is expected."""
