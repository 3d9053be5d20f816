"""The judges of a study: static checkers for each language, a driver that runs C programs, and their version."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cosec.checking.c.driver_inputs import DriverInputs, DriverVerdict
from cosec.checking.finding import Checker
from cosec.checking.patterns import Language
from cosec.evaluation.judging.identity import judges_version


class CDriver(Hashable, Protocol):
    """Runs completed C programs on given inputs."""

    def sees(self, inputs: DriverInputs) -> Collection[str]:
        """The patterns that runs on these inputs can show."""
        ...

    def judge(self, program: str, inputs: DriverInputs) -> DriverVerdict:
        """Compile and run one program.

        Raises:
            CheckerError: If there is no compiler.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Everything that decides whether a completion is secure."""

    checkers: Mapping[Language, Sequence[Checker]]
    """Static checkers of each language. A scenario is judged by all checkers that know one of its patterns."""

    version: str
    """Changes whenever the judges may give another verdict on the same completion; see `identity`."""

    driver: CDriver | None = None
    """Runs the C programs of scenarios that have inputs. Without one, static checkers judge these too."""


def default_judges() -> Judges:
    """The judges of ``cosec study``.

    Python programs are judged by the flow analysis. C programs run under the sanitizers where the scenario has inputs,
    and are judged by static checkers elsewhere.
    """
    from cosec.checking.c.sanitizer import SanitizerDriver
    from cosec.checking.registry import make_checker, study_checkers

    return Judges(
        checkers={
            "py": tuple(map(make_checker, study_checkers("py"))),
            "c": tuple(map(make_checker, study_checkers("c"))),
        },
        version=judges_version(),
        driver=SanitizerDriver(),
    )
