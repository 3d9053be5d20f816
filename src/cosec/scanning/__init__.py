"""Scans of files and folders: which files, which checkers, in parallel, with kept results."""

from cosec.scanning.cache import JudgementCache
from cosec.scanning.files import SourceFile, described, shown_path
from cosec.scanning.judgement import SANITIZER, FileResult
from cosec.scanning.tree_scan import Progress, Scan, Step, TreeScan, scan

__all__ = [
    "SANITIZER",
    "FileResult",
    "JudgementCache",
    "Progress",
    "Scan",
    "SourceFile",
    "Step",
    "TreeScan",
    "described",
    "scan",
    "shown_path",
]
