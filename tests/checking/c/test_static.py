import re
from pathlib import Path

import pytest

from cosec.checking.c.copies import appends, byte_counts, terminators
from cosec.checking.c.reading.input import READS
from cosec.checking.c.static import CStaticChecker
from cosec.checking.c.texts import credentials, sinks, sources
from cosec.checking.patterns import PATTERNS
from cosec.checking.time_limit import OutOfTime

CASES = Path(__file__).parents[2] / "data" / "c_static_cases"
"""Written before the checker: each says at which lines it expects what."""

KNOWN_FUNCTIONS = frozenset().union(
    *(sinks._SINKS, sinks._LISTED, sinks._ARRAYS, sources._FILLED, sources._COPIES, sources._FORMATS),
    *(sources._PASS, credentials._MODE_PLACE, credentials._COMPARES, credentials._TAKES, credentials._CONNECTS),
    *(READS, appends._WRITES_TEXT, byte_counts._COUNT, byte_counts._WIDE),
    *(terminators._FILLS, terminators._USES, terminators._PRINTS, ("strncat", "vsprintf", "malloc", "calloc", "free")),
)
"""Functions whose arguments the checker looks at."""

WITHOUT_ARGUMENTS = """\
#include <stdlib.h>
#include <string.h>
void copy(char *to, const char *from) { memcpy(to, from, NAME()); }
void tell(const char *form, ...) { NAME(); }
int use(const char *text)
{
    char held[16];
    strcpy(held, "x");
    NAME();
    strncat(held, text, 15);
    char *end = held + NAME() - 1;
    tell("%s", getenv("HOME"));
    if (NAME() > 3 || !NAME())
        return held[NAME()];
    return *end;
}
"""
"""A call in the places where its arguments are looked at."""


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


@pytest.mark.parametrize("name", sorted(KNOWN_FUNCTIONS))
def test_a_call_without_arguments_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.c"
    path.write_text(WITHOUT_ARGUMENTS.replace("NAME", name), encoding="utf-8")
    assert CStaticChecker().check([path]).unscored == ()


def test_a_file_that_the_checker_fails_on_is_unscored_and_not_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("cosec.checking.c.static.find_weaknesses", fails)
    path = tmp_path / "good.c"
    path.write_text("int good(void) { return 1; }\n", encoding="utf-8")
    report = CStaticChecker().check([path])
    reasons = [one.reason for one in report.unscored]
    assert reasons == ["the c-static checker failed on it: IndexError: list index out of range"]


def test_headers_of_declarations_and_macros_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "library.h"
    path.write_text(
        "#ifndef LIBRARY_H\n#define LIBRARY_H\nZEXTERN int ZEXPORT open_it OF((const char *name));\n"
        "API_BEGIN\ntypedef struct node node;\nAPI(node *) first(void) NOTHROW;\nAPI_END\n#endif\n",
        encoding="utf-8",
    )
    report = CStaticChecker().check([path])
    assert (report.findings, report.unscored, report.partial) == ((), (), ())


def test_functions_that_are_not_read_in_full_are_named(tmp_path: Path) -> None:
    path = tmp_path / "parts.c"
    path.write_text(
        "int good(void) { return 1; }\nint broken(int a)\n{\n    a ?+ @@ (;\n    return a;\n}\n", encoding="utf-8"
    )
    report = CStaticChecker().check([path])
    assert report.unscored == ()
    assert [one.reason for one in report.partial] == ["1 function with syntax errors (line 2)"]


def test_levels_tell_what_is_proven_from_what_is_plausible(tmp_path: Path) -> None:
    path = tmp_path / "levels.c"
    path.write_text(
        "#include <stdlib.h>\n#include <string.h>\nvoid one(const char *text)\n{\n    char small[4];\n"
        '    strcpy(small, text);\n    strcpy(small, "longer");\n    strcpy(small, getenv("NAME"));\n}\n',
        encoding="utf-8",
    )
    found = {(one.line, one.pattern): one.severity for one in CStaticChecker().check([path]).findings}
    assert found == {
        (6, "c/out-of-bounds-write"): "warning",
        (7, "c/out-of-bounds-write"): "error",
        (8, "c/out-of-bounds-write"): "error",
        (8, "c/null-dereference"): "warning",
    }
