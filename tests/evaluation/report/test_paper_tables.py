from __future__ import annotations

from collections import Counter
from pathlib import Path

from cosec.evaluation.report.formatting import percent
from cosec.evaluation.report.paper_tables import OURS, TITLES, paper_lines, paper_numbers
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.study.records import StudyFolder
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, settings


def test_every_printed_table_is_there_whole() -> None:
    counts = Counter(one.table for one in paper_numbers())
    assert counts == {"I": 42, "II": 63, "V": 320, "VI": 96, "VII": 48, "VIII": 48, "IX": 9, "X": 10}
    assert set(counts) == set(TITLES)
    for table, arms in OURS.items():
        assert set(arms) <= {one.arm for one in paper_numbers() if one.table == table}


def test_known_figures_are_as_printed() -> None:
    printed = {(one.table, one.target, one.arm, one.metric): one.value for one in paper_numbers()}
    assert printed["V", "CodeGen-350M", "Origin", "security_ratio_percent total"] == "55.4"
    assert printed["V", "CodeGen-350M", "CoSec+", "security_ratio_percent total"] == "71.1"
    assert printed["X", "CodeGen-6.1B", "CoSec+", "seconds per 20 tokens (A800)"] == "1.25"


def test_ours_stand_in_the_first_rows_where_they_were_measured(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin", "cosec-plus"), seeds=(0,)), tmp_path / "out")
    results = read_results(StudyFolder(tmp_path / "out"))
    text = "\n".join(paper_lines(results))
    table = text.split("### Table V: ")[1].split("###")[0].splitlines()
    figure = results.estimate("tiny", "cosec-plus", "security", "CWE-089")
    assert figure is not None
    rows = [line for line in table if line.startswith("| **smollm2-135m**")]
    assert len(rows) == 2, "arms that were not measured have no row"
    assert f"| CoSec+ | {percent(figure.interval)} | - |" in rows[1]
    assert "| CodeGen-350M | Origin | 85.4 |" in "\n".join(table)
    unseen = text.split("### Table VII")[1].split("###")[0]
    assert "| **smollm2-135m** | CoSec+ | - |" in unseen
