import pytest

from cosec.checking.finding import Finding

RECORD = {
    "path": "app.py",
    "line": 3,
    "rule": "py/sql-injection",
    "cwe": "CWE-089",
    "message": "m",
    "severity": "error",
    "checker": "flow",
}
"""A finding as recorded studies hold it."""


def test_a_recorded_finding_is_read_and_written_unchanged() -> None:
    finding = Finding.from_record(RECORD)
    assert finding.pattern == "py/sql-injection"
    assert finding.to_record() == RECORD


def test_a_record_with_an_unknown_or_a_missing_field_is_refused() -> None:
    with pytest.raises(TypeError, match="column"):
        Finding.from_record({**RECORD, "column": 1})
    with pytest.raises(TypeError, match="line"):
        Finding.from_record({name: value for name, value in RECORD.items() if name != "line"})
