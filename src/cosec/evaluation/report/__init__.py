"""Reports: numbers with intervals, tables, pages and figures from the records of a study."""

from cosec.evaluation.report.calibration import Choice, choose, rule_toml
from cosec.evaluation.report.estimates import Estimate
from cosec.evaluation.report.frontier import Point, frontier_figure, points_csv, points_of
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Cost, Results, ShownSample
from cosec.evaluation.report.statistics import Interval
from cosec.evaluation.report.text_report import HEADLINE, markdown, table_csv
from cosec.evaluation.report.write_report import write_frontier, write_report

__all__ = [
    "HEADLINE",
    "Choice",
    "Cost",
    "Estimate",
    "Interval",
    "Point",
    "Results",
    "ShownSample",
    "choose",
    "frontier_figure",
    "markdown",
    "points_csv",
    "points_of",
    "read_results",
    "rule_toml",
    "table_csv",
    "write_frontier",
    "write_report",
]
