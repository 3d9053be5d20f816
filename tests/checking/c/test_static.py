import re
from pathlib import Path

import pytest

from cosec.checking.c.static import CStaticChecker
from cosec.checking.patterns import PATTERNS
from cosec.checking.time_limit import OutOfTime

CASES = Path(__file__).parents[2] / "data" / "c_static_cases"
"""Written before the checker: each says at which lines it expects what."""


def cases() -> list[tuple[str, str]]:
    return [
        (f"{path.stem}: {part.splitlines()[0]}", part.split("\n", 1)[1])
        for path in sorted(CASES.glob("*.c"))
        for part in re.split(r"(?m)^// case: ", path.read_text(encoding="utf-8"))[1:]
    ]


def found(code: str, folder: Path, patterns: list[str] | None = None) -> set[tuple[int, str]]:
    path = folder / "case.c"
    path.write_text(code, encoding="utf-8")
    report = CStaticChecker().check([path], patterns=patterns)
    assert report.unscored == ()
    return {(one.line, one.pattern) for one in report.findings}


@pytest.mark.parametrize("code", [code for _, code in cases()], ids=[title for title, _ in cases()])
def test_what_is_found_is_what_the_case_expects(code: str, tmp_path: Path) -> None:
    lines = code.splitlines()
    expected = {(n, pattern) for n, line in enumerate(lines, 1) for pattern in re.findall(r"// expect: (\S+)", line)}
    assert found(code, tmp_path) == expected


def test_every_rule_for_c_has_a_case_but_the_one_that_names_its_kinds() -> None:
    expected = {pattern for _, code in cases() for pattern in re.findall(r"// expect: (\S+)", code)}
    assert expected == {pattern.id for pattern in PATTERNS.values() if pattern.language == "c"} - {"c/buffer-overflow"}


def test_an_access_out_of_bounds_counts_as_the_bounds_rule_that_was_asked_for(tmp_path: Path) -> None:
    code = "#include <string.h>\nvoid f(const char *s)\n{\n    char t[4];\n    strcpy(t, s);\n}\n"
    assert found(code, tmp_path) == {(5, "c/out-of-bounds-write")}
    assert found(code, tmp_path, ["c/buffer-overflow"]) == {(5, "c/buffer-overflow")}
    assert found(code, tmp_path, ["c/use-after-free"]) == set()


def test_text_that_is_no_program_is_unscored(tmp_path: Path) -> None:
    path = tmp_path / "note.c"
    path.write_text("To do: ((write this", encoding="utf-8")
    report = CStaticChecker().check([path])
    assert [one.path for one in report.unscored] == [str(path)]


def test_a_file_nested_too_deeply_is_unscored_and_not_clean(tmp_path: Path) -> None:
    path = tmp_path / "deep.c"
    path.write_text("int f(int a)\n{\n    return " + "(" * 3000 + "a" + ")" * 3000 + ";\n}\n", encoding="utf-8")
    report = CStaticChecker().check([path])
    assert [one.reason for one in report.unscored] == ["nested too deeply to be read"]


def test_what_was_found_before_a_time_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def takes_too_long(*_: object) -> None:
        raise OutOfTime

    monkeypatch.setattr("cosec.checking.c.static.credentials.look", takes_too_long)
    path = tmp_path / "copy.c"
    path.write_text("#include <string.h>\nvoid f(const char *s)\n{\n    char t[4];\n    strcpy(t, s);\n}\n")
    report = CStaticChecker().check([path])
    assert [one.line for one in report.findings] == [5]
    assert [one.reason for one in report.unscored] == ["not fully judged: it takes too long"]
