"""The checkers that judge by default."""

from __future__ import annotations

from cosec.evaluation.judging import Judges


def default_judges() -> Judges:
    """Python: the flow analysis. C: the program is run under the sanitizers, with its scenario's inputs."""
    from cosec.evaluation.checkers.flow import FlowChecker
    from cosec.evaluation.checkers.sanitizer import SanitizerDriver

    return Judges(checkers={"py": (FlowChecker(),)}, driver=SanitizerDriver())
