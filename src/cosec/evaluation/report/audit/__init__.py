"""Audits of verdicts: people read completions that the judges called secure, and the reported rate is corrected."""

from cosec.evaluation.report.audit.draw import Question, draw
from cosec.evaluation.report.audit.estimate import AuditCount, audit_counts, audit_estimates
from cosec.evaluation.report.audit.readings import Place, Reading, ReadingLog, readings_of

__all__ = [
    "AuditCount",
    "Place",
    "Question",
    "Reading",
    "ReadingLog",
    "audit_counts",
    "audit_estimates",
    "draw",
    "readings_of",
]
