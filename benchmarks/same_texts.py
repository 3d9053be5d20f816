"""Whether two studies wrote the same: `benchmarks/same_texts.py FOLDER OTHER OUT [ARM=OTHER_ARM ...]`.

Compares the texts of completions that both folders hold: same benchmark, arm, seed, task and sample. An arm that the
other folder calls differently is named by ARM=OTHER_ARM (`cosec-plus:threshold=0.3=cosec-plus`). Use it for one study
on two machines. Writes one JSON file with the counts and both machines.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from cosec.evaluation.study.records import COMPLETIONS, StudyFolder

Key = tuple[str, str, str, str, int]


def texts(folder: StudyFolder, names: dict[str, str]) -> dict[Key, str]:
    """Texts by benchmark, arm (renamed), seed, task and sample."""
    found: dict[Key, str] = {}
    for unit, record in folder.records(COMPLETIONS):
        benchmark, arm, seed, _ = unit.split("/")
        name = arm.replace(";", ":")
        found[benchmark, names.get(name, name), seed, record["task"], record["sample"]] = record["text"]
    return found


def main(first: str, second: str, out: str, *renamed: str) -> None:
    """Compare and write."""
    names = dict(pair.rsplit("=", 1) for pair in renamed)
    folders = StudyFolder(Path(first)), StudyFolder(Path(second))
    one, other = texts(folders[0], names), texts(folders[1], {})
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key in one.keys() & other.keys():
        count = counts[f"{key[0]}/{key[1]}"]
        count[0] += one[key] == other[key]
        count[1] += 1
    result: dict[str, Any] = {
        "command": "python benchmarks/same_texts.py",
        "same": sum(same for same, _ in counts.values()),
        "compared": sum(of for _, of in counts.values()),
        "by_benchmark_and_arm": {name: {"same": same, "compared": of} for name, (same, of) in sorted(counts.items())},
        "environments": [folder.manifest()["environment"] for folder in folders],
    }
    Path(out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
