"""Write docs/paper-tables.md: the paper's tables with our figures of Qwen2.5-Coder from all records.

    python benchmarks/paper_tables_page.py

Each study's report ends with the tables that it has figures for. This page joins their first rows, table by table, with
the paper's rows of Qwen2.5-Coder below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cosec.evaluation.report.paper_tables import NOT_MEASURED, TITLES

DOCS = Path(__file__).parent.parent / "docs"

SEPARATE = "1.5B with the 0.5B's adapter"
RECORDS = {
    "qwen2.5-coder-1.5b/own-107": (f"{SEPARATE}, one seed", "V VII"),
    "qwen2.5-coder-1.5b-floor/own": (f"{SEPARATE}, two seeds, in bfloat16", "V VII"),
    "qwen2.5-coder-1.5b-floor/paper-rules": (f"{SEPARATE}, one seed, in bfloat16", "II V VII"),
    "qwen2.5-coder-1.5b-floor/sven-seeds": (f"{SEPARATE}, five seeds, in bfloat16", "V VII"),
    "qwen2.5-coder-1.5b-floor/humaneval": (f"{SEPARATE}, six seeds, in bfloat16", "VI"),
    "qwen2.5-coder-1.5b-lora": ("1.5B trained itself, one seed", "V VI"),
    "qwen2.5-coder-1.5b/sven-seeds": (f"{SEPARATE}, five seeds", "V VII"),
    "qwen2.5-coder-1.5b/humaneval-strengths": (f"{SEPARATE}, one seed", "VI"),
    "qwen2.5-coder-0.5b-texts/own-seeds-3": ("0.5B, three seeds", "V VII"),
    "qwen2.5-coder-0.5b-texts/sven-seeds": ("0.5B, three seeds", "V VII"),
    "qwen2.5-coder-0.5b-texts/humaneval-ten": ("0.5B, one seed, ten samples", "VI"),
    "qwen2.5-coder-0.5b-texts/humaneval-seeds": ("0.5B, three seeds", "VI"),
    "qwen2.5-coder-0.5b-texts/humaneval": ("0.5B, one seed", "VI"),
    "qwen2.5-coder-0.5b-main": ("0.5B, an earlier adapter, 59 scenarios, three seeds", "V VI VII"),
    "qwen2.5-coder-0.5b-variants/cosec-study": ("0.5B, small budget", "I II V VI"),
    "qwen2.5-coder-0.5b-variants/parts-study": ("0.5B, small budget", "VIII"),
    "qwen2.5-coder-0.5b-aligned-texts/students": ("0.5B, two seeds", "IX"),
}
"""What the rows of a record are about, and the tables that it fills, by its folder in docs/results."""

TOLD = """# The paper's tables with Qwen2.5-Coder

Our figures in the shape of the paper's Tables I, II and V to IX, from the recorded studies, with the rows of the
paper's Qwen2.5-Coder-14B where a table has them. Target, security model, scenarios, checker and sampling differ from
the paper's, so only the direction of differences is comparable. Security is Eq. 2 in percent, and a total is the mean
over the table's weaknesses. Our figures have 95 % intervals. [results.md](results.md) says what they mean; the paper's
rows of other models are in each report. `python benchmarks/paper_tables_page.py` writes this page from the reports.

Table X is measured by `cosec bench speed`, and in llama.cpp in [gguf.md](gguf.md#speed).
"""


def tables_of(report: str) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield the title, the header and the rows of each of the paper's tables in a report."""
    for section in report.partition("\n## Beside the paper\n")[2].split("\n### ")[1:]:
        title, *lines = section.split("\n")
        rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines if line.startswith("|")]
        yield title, rows[0], rows[2:]


def page() -> str:
    """The page as Markdown."""
    header: dict[str, list[str]] = {}
    ours: dict[str, list[list[str]]] = {title: [] for title in TITLES.values()}
    theirs: dict[str, list[list[str]]] = {title: [] for title in TITLES.values()}
    for folder, (what, wanted) in RECORDS.items():
        report = (DOCS / "results" / folder / "report.md").read_text(encoding="utf-8")
        for title, head, rows in tables_of(report):
            if title not in {TITLES[table] for table in wanted.split()}:
                continue
            header[title] = head
            theirs[title] = [row for row in rows if "Qwen2.5-Coder" in row[0] and "**" not in row[0]]
            for row in rows:
                if row[0].startswith("**") and set(row[2:]) != {NOT_MEASURED}:
                    scenarios = re.findall(r"\((.*)\)", row[0])
                    name = f"[{what}](results/{folder}/report.md)" + (f", {scenarios[0]}" if scenarios else "")
                    ours[title].append([name, *row[1:]])
    parts = [TOLD]
    for title, rows in ours.items():
        if not rows:
            continue
        parts.append(f"\n## {title}\n\n")
        for row in [header[title], ["---"] * len(header[title]), *rows, *theirs[title]]:
            parts.append(f"| {' | '.join(row)} |\n")
        if not theirs[title]:
            parts.append("\nThe paper has no row of Qwen2.5-Coder in this table.\n")
    return "".join(parts)


if __name__ == "__main__":
    (DOCS / "paper-tables.md").write_text(page(), encoding="utf-8")
