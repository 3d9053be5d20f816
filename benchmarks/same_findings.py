"""Record what the checkers find in many files, and compare two records: `benchmarks/same_findings.py OUT PATH...`.

A path is a file, a folder, whose Python and C files are taken, or a labelled set as `cosec check --labelled` reads it.
``--sample N`` takes N of the files, the same ones in every run. Each file is judged by itself with all parameters
untrusted, as studies do, or with ``--as-tree`` as `cosec check` does. Its processor time is recorded.

To see whether a change of the engine changes a finding, run this with both versions on PYTHONPATH and compare::

    PYTHONPATH=../old/src python benchmarks/same_findings.py old.jsonl FOLDER --sample 300
    PYTHONPATH=src python benchmarks/same_findings.py new.jsonl FOLDER --sample 300
    python benchmarks/same_findings.py --compare old.jsonl new.jsonl
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

SUFFIXES = {".py": "flow", ".c": "c-static", ".h": "c-static"}


def files(paths: Sequence[Path], scratch: Path) -> Iterator[tuple[str, Path]]:
    """Iterate over the name and place of each program; those of labelled sets are written to ``scratch``.

    A name begins with the number of its path, so that files of one name in two folders are told apart.
    """
    for index, path in enumerate(paths):
        if path.suffix == ".jsonl":
            folder = scratch / str(index)
            folder.mkdir()
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
                row = json.loads(line)
                language = row.get("lang") or row.get("language")
                place = folder / f"{path.stem}-{number}.{language}"
                place.write_text(row["code"], encoding="utf-8")
                yield f"{index}/{path.name}:{number}", place
        elif path.is_dir():
            for place in sorted(path.rglob("*")):
                if place.suffix in SUFFIXES and place.is_file():
                    yield f"{index}/{place.relative_to(path)}", place
        else:
            yield f"{index}/{path.name}", path


def judged(name: str, place: Path, *, as_tree: bool) -> dict[str, Any]:
    """Judge one file."""
    from cosec.checking.finding import FileChecker
    from cosec.checking.registry import make_checker

    checker = make_checker(SUFFIXES[place.suffix], entry_points="declared" if as_tree else "all")
    started = time.process_time()
    if as_tree and isinstance(checker, FileChecker):
        report = checker.check_content(place, place.read_bytes(), patterns=checker.patterns)
    else:
        report = checker.check([place])
    seconds = time.process_time() - started
    return {
        "name": name,
        "seconds": round(seconds, 4),
        "findings": [[one.line, one.pattern, one.severity, one.message] for one in report.findings],
        "unscored": [one.reason for one in report.unscored],
    }


def record(out: Path, paths: Sequence[Path], sample: int | None, *, as_tree: bool) -> None:
    """Judge the files and write a line for each."""
    with tempfile.TemporaryDirectory() as scratch, out.open("w", encoding="utf-8") as lines:
        found = list(files(paths, Path(scratch)))
        if sample is not None:
            found = sorted(found, key=lambda one: hashlib.sha256(one[0].encode()).digest())[:sample]
        for name, place in found:
            lines.write(json.dumps(judged(name, place, as_tree=as_tree)) + "\n")
            lines.flush()
    summarise(out)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Read a record."""
    return {row["name"]: row for row in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def summarise(path: Path) -> None:
    """Print how many files were judged, and their processor time."""
    rows = sorted(read(path).values(), key=lambda row: -row["seconds"])
    total = sum(row["seconds"] for row in rows)
    slowest = ", ".join(f"{row['name']} {row['seconds']:.1f}" for row in rows[:5])
    findings = sum(len(row["findings"]) for row in rows)
    unscored = sum(bool(row["unscored"]) for row in rows)
    print(f"{path}: {len(rows)} files, {findings} findings, {unscored} unscored, {total:.1f} s; slowest: {slowest}")  # noqa: T201


def compare(old: Path, new: Path) -> int:
    """Print the files whose findings differ, and return 1 if there are any."""
    first, second = read(old), read(new)
    summarise(old)
    summarise(new)
    different = 0
    for name in sorted(first.keys() | second.keys()):
        before, after = (
            {key: one.get(name, {}).get(key) for key in ("findings", "unscored")} for one in (first, second)
        )
        if before != after:
            different += 1
            print(f"{name}:\n  old {before}\n  new {after}")  # noqa: T201
    print(f"{different} files differ")  # noqa: T201
    return int(different > 0)


def main() -> None:
    """Record or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--as-tree", action="store_true")
    parser.add_argument("--compare", action="store_true")
    asked = parser.parse_args()
    if asked.compare:
        sys.exit(compare(asked.out, asked.paths[0]))
    record(asked.out, asked.paths, asked.sample, as_tree=asked.as_tree)


if __name__ == "__main__":
    main()
