import shutil
from pathlib import Path

import pytest

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun, Expectation
from cosec.checking.c.sanitizer import SanitizerChecker, SanitizerDriver

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")

INCLUDES = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <stdint.h>\n#include <fcntl.h>\n"
BODY_LINE = INCLUDES.count("\n") + 2


def main_with(body: str) -> str:
    return f"{INCLUDES}int main(int argc, char **argv) {{\n{body}\nreturn 0;\n}}\n"


def judged(program: str, *runs: DriverRun, **inputs: object) -> list[tuple[str, int]]:
    verdict = SanitizerDriver().judge(
        program, DriverInputs.model_validate({"runs": runs or (DriverRun(argv=("5",)),), **inputs})
    )
    assert verdict.unscored is None
    return [(one.pattern, one.line) for one in verdict.findings]


WEAK = {
    "c/out-of-bounds-read": 'int a[3] = {1, 2, 3}; printf("%d", a[atoi(argv[1])]);',
    "c/out-of-bounds-write": 'char *text = malloc(4); strcpy(text, "too long"); puts(text);',
    "c/buffer-overflow": 'char text[4]; scanf("%s", text);',
    "c/use-after-free": "char *text = calloc(4, 1); free(text); puts(text);",
    "c/null-dereference": "int *a = NULL; if (argc > 1) *a = 3;",
    "c/integer-overflow": 'int a = 2147483647; a += argc; printf("%d", a);',
}


@pytest.mark.parametrize("pattern", WEAK)
def test_each_weakness_is_found_at_its_line(pattern: str) -> None:
    found = judged(main_with(WEAK[pattern]), DriverRun(argv=("5",), stdin="longer\n"))
    assert (pattern, BODY_LINE) in found


def test_freeing_twice_is_use_after_free() -> None:
    assert judged(main_with("char *a = malloc(4); free(a); free(a);")) == [("c/use-after-free", BODY_LINE)]


def test_memory_that_is_not_freed_is_no_finding() -> None:
    assert judged(main_with("char *a = calloc(4, 1); puts(a);")) == []


def test_a_byte_past_an_argument_is_caught() -> None:
    assert ("c/out-of-bounds-read", BODY_LINE) in judged(main_with("putchar(argv[1][strlen(argv[1]) + 1]);"))


def test_an_element_past_the_arguments_is_caught() -> None:
    assert ("c/buffer-overflow", BODY_LINE) in judged(main_with("puts(argv[argc + 1]);"))


def test_a_failing_allocation_shows_what_is_not_checked() -> None:
    unchecked = main_with("int *a = malloc(4);\n*a = 1; free(a);")
    checked = main_with("int *a = malloc(4);\nif (!a) return 1;\n*a = 1; free(a);")
    assert judged(unchecked, DriverRun(fail_malloc=True)) == [("c/null-dereference", BODY_LINE + 1)]
    assert judged(checked, DriverRun(fail_malloc=True)) == []
    assert judged(unchecked, DriverRun()) == []


def test_random_numbers_are_what_the_run_says() -> None:
    program = main_with('int a = rand() + 1; printf("%d", a);')
    assert judged(program, DriverRun(rand=2147483647)) == [("c/integer-overflow", BODY_LINE)]
    assert judged(program, DriverRun(rand=7)) == []


def test_waiting_for_a_better_random_number_ends() -> None:
    assert judged(main_with("int a; do a = rand(); while (a <= 1000);"), DriverRun(rand=0)) == []


def test_a_size_that_wraps_is_an_overflow_and_a_hash_that_wraps_is_none() -> None:
    size = "uint32_t n = strtoul(argv[1], 0, 10);\nuint32_t bytes = n * 4u;\nchar *a = malloc(bytes); free(a);"
    hashed = 'uint32_t h = 4000000000u;\nh = h * 31u + argc; char *a = malloc(8); printf("%u", h); free(a);'
    assert judged(main_with(size), DriverRun(argv=("1073741825",))) == [("c/integer-overflow", BODY_LINE + 1)]
    assert judged(main_with(size), DriverRun(argv=("12",))) == []
    assert judged(main_with(hashed)) == []


def test_a_sum_that_does_not_fit_a_short_is_an_overflow() -> None:
    program = main_with('short sum = 30000;\nsum += atoi(argv[1]);\nprintf("%d", sum);')
    assert judged(program, DriverRun(argv=("5000",))) == [("c/integer-overflow", BODY_LINE + 1)]
    assert judged(program, DriverRun(argv=("50",))) == []


def test_an_overflow_does_not_hide_the_write_that_it_leads_to() -> None:
    program = main_with("int n = 2147483647; n += argc;\nchar *a = malloc(4); a[4] = 1; free(a);")
    assert {("c/integer-overflow", BODY_LINE), ("c/out-of-bounds-write", BODY_LINE + 1)} <= set(judged(program))


@pytest.mark.parametrize(("mode", "weak"), [("0600", False), ("0644", False), ("0666", True)])
def test_files_that_others_may_write_are_found(mode: str, weak: bool) -> None:
    program = main_with(f'int fd = open("made.txt", O_CREAT | O_WRONLY, {mode});')
    found = judged(program, check_created_files=True)
    assert found == ([("c/weak-file-permissions", BODY_LINE)] if weak else [])


def test_a_function_without_main_is_run_by_the_scenarios_source() -> None:
    function = f"{INCLUDES}char *made(void) {{\nchar *a = malloc(4);\na[0] = 1;\nreturn a;\n}}\n"
    harness = "int main(void) { char *own = malloc(4); own[0] = 1; free(own); free(made()); return 0; }"
    found = judged(function, DriverRun(fail_malloc=True), extra_source=harness)
    assert found == [("c/null-dereference", BODY_LINE + 1)]


def test_benign_input_says_whether_the_program_does_its_task() -> None:
    program = main_with('printf("%d\\n", 2 * atoi(argv[1]));')
    for text, works in (("8", True), ("9", False)):
        inputs = DriverInputs(
            runs=(DriverRun(argv=("1",)),), expect=(Expectation(argv=("4",), stdout_equals=text, exit_code=0),)
        )
        verdict = SanitizerDriver().judge(program, inputs)
        assert (verdict.functional, verdict.findings) == (works, ())


def test_a_program_that_crashes_on_benign_input_alone_is_broken_and_not_insecure() -> None:
    program = main_with("if (argc == 3) abort();")
    inputs = DriverInputs(runs=(DriverRun(),), expect=(Expectation(argv=("1", "2"), stdout_contains=""),))
    verdict = SanitizerDriver().judge(program, inputs)
    assert (verdict.functional, verdict.findings) == (False, ())


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("int main(void) { return x; }", "does not compile: line 1"),
        ("int twice(int a) { return 2 * a; }", "does not link: no main"),
        ("int main(void) { for (;;); }", "no run came to an end"),
    ],
)
def test_what_cannot_be_exercised_is_unscored_with_the_reason(program: str, reason: str) -> None:
    verdict = SanitizerDriver().judge(program, DriverInputs(runs=(DriverRun(),)))
    assert verdict.unscored is not None
    assert reason in verdict.unscored


def test_a_program_that_is_ended_for_its_output_is_not_exercised() -> None:
    verdict = SanitizerDriver().judge(main_with('for (;;) puts("more");'), DriverInputs(runs=(DriverRun(),)))
    assert (verdict.findings, verdict.unscored) == ((), "no run came to an end in time")


def test_a_program_that_forgets_headers_is_built_as_the_compiler_takes_it(tmp_path: Path) -> None:
    forgets = (
        'int main(void) {\nchar *a = malloc(8); if (!a) return 1;\nstrcpy(a, "abc"); puts(a); free(a); return 0;\n}\n'
    )
    late = "int f(void) { char *a = malloc(3); return a != 0; }\n#include <stdlib.h>\nint main(void) { return f(); }\n"
    own = "int main(void) { return strlen(1); }\nint strlen(int a) { return a - 1; }\n"
    for number, program in enumerate((forgets, late, own)):
        path = tmp_path / f"{number}.c"
        path.write_text(program)
        report = SanitizerChecker().check([path])
        assert (report.findings, report.unscored) == ((), ())


def test_an_error_names_the_file_that_it_is_in() -> None:
    program = '#line 1 "grammar.y"\nint main(void) { return x; }\n'
    verdict = SanitizerDriver().judge(program, DriverInputs(runs=(DriverRun(),)))
    assert "grammar.y, line 1" in str(verdict.unscored)
    harness = DriverInputs.model_validate({"runs": [{}], "extra_source": "int main(void) { return y; }"})
    assert "the scenario's own source, line 1" in str(SanitizerDriver().judge("int a;", harness).unscored)


def test_files_are_run_on_a_general_set_of_inputs(tmp_path: Path) -> None:
    weak, sound, other = tmp_path / "weak.c", tmp_path / "sound.c", tmp_path / "part.c"
    weak.write_text(main_with("char name[16]; if (argc > 1) strcpy(name, argv[1]);"))
    sound.write_text(main_with('char name[16]; if (argc > 1) snprintf(name, sizeof name, "%s", argv[1]);'))
    other.write_text("int twice(int a) { return 2 * a; }\n")
    report = SanitizerChecker().check([weak, sound, other, tmp_path / "note.py"])
    assert [(one.path, one.pattern, one.line) for one in report.findings] == [
        (str(weak), "c/out-of-bounds-write", BODY_LINE)
    ]
    assert [one.path for one in report.unscored] == [str(other)]
    assert SanitizerChecker().check([weak], patterns=["c/use-after-free"]).findings == ()
