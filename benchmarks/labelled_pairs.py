"""Write both sides of the shipped training pairs as labelled programs, for ``cosec check --labelled``.

    python benchmarks/labelled_pairs.py pairs.jsonl
    cosec check --labelled pairs.jsonl --format json > docs/results/pairs-check.json

An id ends with ``before`` for the vulnerable side and with ``after`` for the fixed one.
"""

from __future__ import annotations

import importlib.resources
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def labelled_programs(pairs: Path) -> Iterator[dict[str, Any]]:
    """Yield the vulnerable and the fixed side of every pair below a folder, with the weakness it is about."""
    for file in sorted(pairs.rglob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            pair = json.loads(line)
            language = "py" if pair["file_name"].endswith(".py") else "c"
            for side, vulnerable in (("before", True), ("after", False)):
                yield {
                    "id": f"{file.parent.name}/{pair['commit_link']}/{pair['func_name']}/{side}",
                    "lang": language,
                    "cwe": pair["vul_type"],
                    "vulnerable": vulnerable,
                    "code": pair[f"func_src_{side}"],
                }


if __name__ == "__main__":
    data = Path(str(importlib.resources.files("cosec"))) / "data"
    programs = [each for name in ("pairs", "instruction_pairs") for each in labelled_programs(data / name)]
    Path(sys.argv[1]).write_text("".join(json.dumps(each) + "\n" for each in programs), encoding="utf-8")
