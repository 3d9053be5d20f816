"""Write the report of a study into its folder: ``report.md``, ``report.csv``, ``report.html``, figures, a frontier."""

from __future__ import annotations

from pathlib import Path

from cosec.errors import StudyError
from cosec.evaluation.report.figures import figures_of
from cosec.evaluation.report.frontier import Point, frontier_figure, points_csv, points_of
from cosec.evaluation.report.page import page
from cosec.evaluation.report.paper_tables import paper_lines
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.report.results import Results
from cosec.evaluation.report.text_report import markdown, table_csv
from cosec.evaluation.study.records import StudyFolder
from cosec.files import USUAL, write_atomically


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
        _write(folder.path / name, text)
    return [folder.path / name for name in texts]


def write_frontier(folder: StudyFolder, results: Results) -> list[Point]:
    """Write ``frontier-BENCHMARK.csv`` and its figure for each scenario benchmark of a study.

    Args:
        folder: The study.
        results: Its results.

    Returns:
        The points of all benchmarks.

    Raises:
        StudyError: If the folder cannot be written.
    """
    has_problems = any(one.metric == "pass@1" for one in results.estimates)
    label = "pass@1 (%)" if has_problems else "functional tests passed (%)"
    points: list[Point] = []
    for benchmark in dict.fromkeys(one.benchmark for one in results.estimates if one.metric == "engaged_security"):
        found = points_of(results, benchmark)
        points += found
        _write(folder.path / f"frontier-{benchmark}.csv", points_csv(found))
        figure = frontier_figure(found, function_label=label)
        if figure is not None:
            _write(folder.path / f"frontier-{benchmark}.svg", figure)
    return points


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, text, mode=USUAL)
    except OSError as error:
        raise StudyError(
            f"Cannot write {file}: {error.strerror}; make its folder writable or free some room, then try again."
        ) from error
