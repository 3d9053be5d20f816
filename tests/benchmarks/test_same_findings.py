"""Records of findings tell files of one name apart."""

import json
from pathlib import Path

from tests.benchmarks.conftest import Script

UNSAFE = "import os\n\n\ndef run(name):\n    os.system(name)\n"


def test_files_of_one_name_in_two_places_are_all_recorded(script: Script, tmp_path: Path) -> None:
    for folder, code in (("first", UNSAFE), ("second", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(code)
        (tmp_path / folder / "set.jsonl").write_text(json.dumps({"lang": "py", "code": code}))
    places = [tmp_path / folder / name for name in ("", "same.py", "set.jsonl") for folder in ("first", "second")]
    script("same_findings", tmp_path / "record.jsonl", *places)
    rows = [json.loads(line) for line in (tmp_path / "record.jsonl").read_text().splitlines()]
    assert [row["name"] for row in rows] == [
        *("0/same.py", "1/same.py", "2/same.py", "3/same.py", "4/set.jsonl:0", "5/set.jsonl:0")
    ]
    assert [bool(row["findings"]) for row in rows] == [True, False] * 3
