"""Statistics of reports: rates of verdicts, and bootstrap intervals."""

from cosec.evaluation.report.statistics.intervals import Interval, mean_interval, paired_difference
from cosec.evaluation.report.statistics.metrics import RATES, arm_of, differences, joint_at_k, pass_at_k, rates

__all__ = [
    "RATES",
    "Interval",
    "arm_of",
    "differences",
    "joint_at_k",
    "mean_interval",
    "paired_difference",
    "pass_at_k",
    "rates",
]
