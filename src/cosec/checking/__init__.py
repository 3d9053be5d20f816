"""Find weaknesses in source files: checkers for Python and C, which scans run over files and folders.

Needs no model, and imports nothing of evaluation. The checkers' dependencies are imported when a checker is made.
"""

from cosec.checking.finding import Checker, CheckReport, Finding, Unscored
from cosec.checking.patterns import PATTERNS, Language, Pattern
from cosec.checking.registry import CHECKERS, available_checkers, default_checkers, make_checker, study_checkers
from cosec.checking.version import CHECKER_VERSION

__all__ = [
    "CHECKERS",
    "CHECKER_VERSION",
    "PATTERNS",
    "CheckReport",
    "Checker",
    "Finding",
    "Language",
    "Pattern",
    "Unscored",
    "available_checkers",
    "default_checkers",
    "make_checker",
    "study_checkers",
]
