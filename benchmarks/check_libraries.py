"""Findings of `cosec check` on random files of popular packages: `benchmarks/check_libraries.py --seed 1 --out FILE`.

Downloads the wheels of `PACKAGES` with pip, draws `FILES` Python files of each with the seed, and scans them with the
defaults of the command, in place: the other files of the packages lie beside them, as in an installation. The record
holds the drawn files, every finding with the text of its line, and what a reader said of it: ``true`` (the finding says
what is so, and its weakness is one here) or ``false``, with a reason. A new run with the same ``--out`` keeps the
readings of findings that it makes again. Prints the table of `docs/check.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from cosec.checking import CHECKER_VERSION, Finding
from cosec.scanning import scan

PACKAGES = {"Django": "5.1.4", "SQLAlchemy": "2.0.36", "celery": "5.4.0", "ansible-core": "2.17.7", "pandas": "2.2.3"}
"""A web framework, a library for databases, a task queue, a program with commands, and a library for data."""

FILES = 40
"""Files drawn of each package."""


def wheel(package: str, version: str, folder: Path) -> Path:
    """The wheel of a package, downloaded unless it lies in ``folder``."""
    place = folder / f"{package}-{version}"
    if not list(place.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", "3.11", "--platform", "manylinux2014_x86_64"]
        subprocess.run([*command, "--dest", str(place), f"{package}=={version}"], check=True)
    (found,) = place.glob("*.whl")
    return found


def drawn(archive: Path, seed: int, count: int) -> list[str]:
    """The names of ``count`` random Python files of a wheel, in order; all if there are fewer."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith(".py"))
    return sorted(random.Random(seed).sample(names, min(count, len(names))))


def key(finding: dict[str, Any]) -> tuple[str, str, str]:
    """What identifies a finding in two records."""
    return finding["path"], finding["rule"], finding["text"]


def readings(record: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The readings of an earlier record."""
    if not record.exists():
        return {}
    earlier = json.loads(record.read_text(encoding="utf-8"))["findings"]
    return {key(one): one["reading"] for one in earlier if one["reading"] is not None}


def described(finding: Finding, root: Path) -> dict[str, Any]:
    """A finding as the record holds it."""
    path = Path(finding.path).resolve()
    text = path.read_text(encoding="utf-8").splitlines()[finding.line - 1].strip()
    return {
        "path": path.relative_to(root).as_posix(),
        "line": finding.line,
        "rule": finding.pattern,
        "severity": finding.severity,
        "message": finding.message,
        "text": text,
        "reading": None,
    }


def table(record: dict[str, Any]) -> str:
    """Findings by level, with the number that are true."""
    lines = ["| level | findings | true | false | not read |", "|---|---|---|---|---|"]
    for level in ("error", "warning", "note", "all"):
        chosen = [one for one in record["findings"] if level in (one["severity"], "all")]
        said = Counter(None if one["reading"] is None else one["reading"]["true"] for one in chosen)
        lines.append(f"| {level} | {len(chosen)} | {said[True]} | {said[False]} | {said[None]} |")
    return "\n".join(lines)


def main() -> None:
    """Draw, scan, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--files", type=int, default=FILES, help="files drawn of each package")
    parser.add_argument("--wheels", type=Path, help="keeps the downloaded wheels here")
    parser.add_argument("--out", type=Path, required=True, help="the record")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve()
        sources: list[dict[str, Any]] = []
        names: list[str] = []
        for package, version in PACKAGES.items():
            archive = wheel(package, version, asked.wheels or root / "wheels")
            digest = hashlib.sha256(archive.read_bytes()).hexdigest()
            sources.append({"package": package, "version": version, "wheel": archive.name, "sha256": digest})
            chosen = drawn(archive, asked.seed, asked.files)
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(root)
            names += chosen
        started = time.perf_counter()
        scanned = scan([root / name for name in names])
        known = readings(asked.out)
        findings = [described(one, root) for one in scanned.report.findings]
        record = {
            "seed": asked.seed,
            "checkers": CHECKER_VERSION,
            "packages": sources,
            "files": names,
            "seconds": round(time.perf_counter() - started, 1),
            "unscored": [
                {"path": Path(one.path).resolve().relative_to(root).as_posix(), "reason": one.reason}
                for one in scanned.report.unscored
            ],
            "errors": list(scanned.errors),
            "findings": [one | {"reading": known.get(key(one))} for one in findings],
        }
    asked.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(names)} files, {record['seconds']} s, {len(record['unscored'])} unscored")  # noqa: T201
    print(table(record))  # noqa: T201


if __name__ == "__main__":
    main()
