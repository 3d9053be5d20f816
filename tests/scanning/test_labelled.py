"""The default checkers on labelled programs that were written before any of their patterns saw them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.errors import DataError
from cosec.scanning.labelled import Labelled, measure, read_labelled

FOLDER = Path(__file__).parents[1] / "data" / "labelled"


def programs(name: str) -> list[dict[str, object]]:
    """The parts of a text file, each headed by ``==== weakness quality name``."""
    rows = []
    for part in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("==== ")[1:]:
        head, _, code = part.partition("\n")
        cwe, quality, title = head.split()
        rows.append(
            {
                "id": f"{cwe}-{title}",
                "cwe": cwe,
                "lang": {"python": "py"}.get(name, name),
                "code": code,
                "vulnerable": {"insecure": True, "secure": False}[quality],
            }
        )
    return rows


def written(folder: Path, rows: list[dict[str, object]]) -> list[Labelled]:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_labelled(file)


@pytest.mark.parametrize(("name", "checker"), [("python", "flow"), ("c", "c-static")])
def test_programs_of_other_shapes_are_told_apart(tmp_path: Path, name: str, checker: str) -> None:
    measured = measure(written(tmp_path, programs(name)), checkers=(checker,))
    assert (measured.missed, measured.alarms, measured.errors) == ((), (), ())


def test_accesses_out_of_bounds_count_for_their_parent_and_the_other_way_round(tmp_path: Path) -> None:
    code = "#include <unistd.h>\nint f(int d)\n{\n    char b[8];\n    return read(d, b, 9);\n}\n"
    rows = [{"lang": "c", "code": code, "vulnerable": True, "cwe": cwe} for cwe in ("119", "787", "125")]
    measured = measure(written(tmp_path, rows), checkers=("c-static",))
    assert [measured.groups[f"c CWE-{cwe}"].found for cwe in ("119", "787", "125")] == [1, 1, 0]


def test_only_line_feeds_separate_programs(tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    code = 'x = "\u2028\u0085\u2029"'
    line = json.dumps({"code": code, "lang": "py", "vulnerable": False}, ensure_ascii=False)
    file.write_bytes(f"{line}\r\n{line}\n".encode())
    assert [one.code for one in read_labelled(file)] == [code, code]


@pytest.mark.parametrize("key", ["code", "id"])
def test_text_that_no_file_can_hold_is_refused(tmp_path: Path, key: str) -> None:
    row = {"code": "x = 1", "lang": "py", "vulnerable": False}
    with pytest.raises(DataError, match=r"^Line 2 of .*labelled\.jsonl has one half of a surrogate pair"):
        written(tmp_path, [row, {**row, key: "\ud800"}])
