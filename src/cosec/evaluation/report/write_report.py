"""Write the report of a study into its folder: ``report.md``, ``report.csv``, ``report.html`` and figures."""

from __future__ import annotations

from pathlib import Path

from cosec.evaluation.report.figures import figures_of
from cosec.evaluation.report.page import page
from cosec.evaluation.report.paper_tables import paper_lines
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.text_report import markdown, table_csv
from cosec.evaluation.study.records import StudyFolder, write_whole


def write_report(folder: StudyFolder, results: Results | None = None) -> list[Path]:
    """Write the report of a study, whether or not the study is finished.

    Args:
        folder: The study.
        results: Its results, if they were computed already.

    Returns:
        The files that were written.

    Raises:
        StudyError: If nothing was judged yet, or the folder cannot be written.
    """
    results = results or read_results(folder)
    figures = figures_of(results)
    texts = {
        "report.md": markdown(results) + "\n" + "\n".join(paper_lines(results)) + "\n",
        "report.csv": table_csv(results),
        "report.html": page(results, figures),
        **{f"{name}.svg": svg for name, svg in figures.items()},
    }
    for name, text in texts.items():
        write_whole(folder.path / name, text)
    return [folder.path / name for name in texts]
