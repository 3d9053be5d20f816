"""docs/paper-tables.md is what the recorded reports say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_figures_of_the_recorded_reports() -> None:
    script = runpy.run_path(str(ROOT / "benchmarks" / "paper_tables_page.py"))
    page = (ROOT / "docs" / "paper-tables.md").read_text(encoding="utf-8")
    assert page == script["page"]()
    assert page.count("## Table ") == 7
