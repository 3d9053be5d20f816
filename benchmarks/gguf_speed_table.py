"""Print the table of docs/gguf.md: `benchmarks/gguf_speed_table.py FOLDER`, with records of `gguf_speed.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ARMS = {
    "merged": "0.5B, a Q4_0 copy with its adapter added",
    "shared": "0.5B, its adapter (shared weights)",
    "shared-again": "0.5B, its adapter (shared weights), again",
    "shared-strong": "0.5B, its adapter (shared weights), stronger",
    "shared-records": "0.5B, its adapter (shared weights), with `--target-records`",
    "beside-q4_0": "1.5B, a Q4_0 copy of the 0.5B",
    "beside-steer": "1.5B, the 0.5B with its adapter",
    "beside": "1.5B, the 0.5B as pulled",
    "torch": "1.5B, the 0.5B as pulled, float32 in torch",
}
"""What each record is about, by the name of its file without the batch."""


def rows_of(record: dict[str, Any], arm: str) -> list[str]:
    """The lines of one record."""
    rows = []
    for batch in record["batches"]:
        for one in batch["hardened"]:
            measured = [f"{one['alpha']:.2f}", f"{one['c']:.2f}", f"{one['v']['4']:.2f}, {one['v']['8']:.2f}"]
            cells = [f"{arm}, `{one['rule']}`", str(batch["batch"]), f"{one['ratio']:.2f}"]
            cells += [f"{50 * one['hardened_seconds_per_20']:.0f} ms", str(one["draft_length"])]
            rows.append(f"| {' | '.join([*cells, *measured])} |")
    return rows


def main(folder: Path) -> None:
    """Print the table, and then how the engine compares with llama.cpp's own loop and with torch."""
    records = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}
    print("| target, security model, rule | batch | co-decoded / alone | a token | k | alpha | c | v(4), v(8) |")  # noqa: T201
    print("|---|---|---|---|---|---|---|---|")  # noqa: T201
    for name, record in records.items():
        print("\n".join(rows_of(record, ARMS[name.rpartition("-")[0]])))  # noqa: T201
    for name, record in records.items():
        for batch in record["batches"]:
            if "alone" in batch:
                alone = batch["alone"]
                print(  # noqa: T201
                    f"{record['target']} alone, batch {batch['batch']} ({name}): engine / library "
                    f"{alone['ratio']:.3f}, {alone['engine_ms']:.1f} and {alone['library_ms']:.1f} ms a token"
                )
    if {"torch-1", "beside-1"} <= records.keys():
        torch, *ours = (records[name]["batches"][0]["hardened"][0] for name in ("torch-1", "beside-1", "beside-q4_0-1"))
        for name, one in zip(("as pulled", "Q4_0 copy"), ours, strict=True):
            faster = torch["hardened_seconds_per_20"] / one["hardened_seconds_per_20"]
            print(f"hardened in torch / in llama.cpp, {name}: {faster:.2f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
