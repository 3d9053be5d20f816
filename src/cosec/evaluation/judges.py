"""The checkers that judge by default."""

from __future__ import annotations

from cosec.evaluation.judging import Judges


def default_judges() -> Judges:
    """Python: the flow analysis. C: run under the sanitizers where the scenario has inputs, else read."""
    from cosec.evaluation.checkers.c_static import CStaticChecker
    from cosec.evaluation.checkers.flow import FlowChecker
    from cosec.evaluation.checkers.sanitizer import SanitizerDriver

    return Judges(checkers={"py": (FlowChecker(),), "c": (CStaticChecker(),)}, driver=SanitizerDriver())
