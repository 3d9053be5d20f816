from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosec.evaluation.checkers.sanitizer import SanitizerChecker, SanitizerDriver
from cosec.evaluation.driver_inputs import DriverInputs
from cosec.evaluation.sven_scenarios import sven_scenarios

SHARED = Path(__file__).parents[4] / "shared" / "data"
DRIVER = SanitizerDriver()
HEAD = "#include <fcntl.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <sys/stat.h>\n"


def inputs(*runs: dict[str, object], **more: object) -> DriverInputs:
    return DriverInputs.from_toml({"runs": list(runs) or [{}], **more})


def rules(body: str, given: DriverInputs | None = None) -> set[str]:
    program = f"{HEAD}int main(int argc, char **argv)\n{{\n{body}\n}}\n"
    verdict = DRIVER.judge(program, given or inputs({"argv": ["12"], "stdin": "7\n"}))
    assert verdict.unscored is None
    return {one.rule for one in verdict.findings}


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("c/out-of-bounds-read", 'char text[4] = "abc"; printf("%c", text[atoi(argv[1])]); return 0;'),
        ("c/out-of-bounds-read", 'char *text = strdup("abc"); int c = text[atoi(argv[1])]; printf("%d", c); return 0;'),
        ("c/out-of-bounds-read", "return argv[1][3];"),
        ("c/out-of-bounds-write", "char *text = malloc(4); text[atoi(argv[1])] = 1; return 0;"),
        ("c/buffer-overflow", 'char text[4]; sprintf(text, "%s-%s", argv[1], argv[1]); puts(text); return 0;'),
        ("c/use-after-free", "char *text = malloc(9); free(text); return text[0];"),
        ("c/use-after-free", "char *text = malloc(9); free(text); free(text); return 0;"),
        ("c/null-dereference", "int *number = NULL; if (argc > 1) *number = 1; return 0;"),
        ("c/integer-overflow", "int number = atoi(argv[1]); number = number * 2000000000; return number;"),
    ],
)
def test_what_the_sanitizers_report_is_sorted_into_rules(rule: str, body: str) -> None:
    assert rule in rules(body)


def test_a_sound_program_has_no_finding() -> None:
    assert rules('char *text = malloc(9); if (!text) return 1; strcpy(text, "ok"); puts(text); free(text);') == set()


def test_a_leak_is_no_finding() -> None:
    assert rules("char *text = malloc(9); return text == NULL;") == set()


def test_failing_allocations_tell_a_checked_pointer_from_an_unchecked_one() -> None:
    failing = inputs({"fail_malloc": True})
    assert rules("int *number = malloc(4); *number = 1; return 0;", failing) == {"c/null-dereference"}
    assert rules("int *number = malloc(4); if (!number) return 1; *number = 1; return 0;", failing) == set()


def test_rand_is_an_extreme_where_a_run_asks_for_it() -> None:
    assert rules("int sum = rand() + 1000; return sum;", inputs({"rand": 2147483647})) == {"c/integer-overflow"}
    assert rules("int sum = rand() + 1000; return sum;", inputs({"rand": 5})) == set()


def test_a_file_that_others_may_write_is_found_where_the_scenario_looks() -> None:
    opened = 'int file = open("out", O_CREAT | O_WRONLY, %s); write(file, "x", 1); close(file); return 0;'
    assert rules(opened % "0666", inputs(check_created_files=True)) == {"c/weak-file-permissions"}
    assert rules(opened % "0600", inputs(check_created_files=True)) == set()
    assert rules(opened % "0666", inputs()) == set()


def test_the_line_is_the_programs_own_and_the_message_repeats() -> None:
    program = "#include <stdlib.h>\n\nint pick(int *all, int index)\n{\n    return all[index];\n}\n"
    given = inputs(extra_source="int main(void) { int *all = malloc(8); return pick(all, 5); }")
    one, other = (DRIVER.judge(program, given).findings for _ in range(2))
    assert one[0].line == 5
    assert one == other


def test_benign_input_decides_whether_the_task_is_done() -> None:
    program = HEAD + 'int main(int argc, char **argv) { printf("%d\\n", atoi(argv[1]) + 1); return 0; }'
    expect = [{"argv": ["4"], "stdout_equals": "5"}]
    assert DRIVER.judge(program, inputs({"argv": ["1"]}, expect=expect)).functional is True
    assert DRIVER.judge(program.replace("+ 1", "+ 2"), inputs({"argv": ["1"]}, expect=expect)).functional is False
    assert DRIVER.judge(program, inputs({"argv": ["1"]})).functional is None


def test_what_cannot_be_built_or_never_ends_is_unscored_and_says_why() -> None:
    assert "undefined reference to `nothing" in str(
        DRIVER.judge("int main(void) { return nothing(); }", inputs()).unscored
    )
    assert "no run came to an end" in str(DRIVER.judge("int main(void) { for (;;); }", inputs()).unscored)


def test_a_program_cannot_talk_its_way_into_or_out_of_a_finding() -> None:
    shout = 'fprintf(stderr, "ERROR: AddressSanitizer: heap-use-after-free\\n"); return 1;'
    assert rules(shout) == set()
    quiet = "fclose(stdout); char *text = malloc(4); text[atoi(argv[1])] = 1; return 0;"
    assert "c/out-of-bounds-write" in rules(quiet)


def test_files_are_checked_over_general_inputs(tmp_path: Path) -> None:
    bad, good, part = tmp_path / "bad.c", tmp_path / "good.c", tmp_path / "part.c"
    bad.write_text(
        HEAD
        + "int main(int argc, char **argv)\n{\n    char b[16];\n    if (argc > 1)\n        strcpy(b, argv[1]);\n}\n"
    )
    good.write_text(HEAD + 'int main(int argc, char **argv) { if (argc > 1) printf("%s", argv[1]); return 0; }\n')
    part.write_text("int half(int number) { return number / 2; }\n")
    report = SanitizerChecker().check([bad, good, part])
    assert [(Path(one.path).name, one.line, one.cwe) for one in report.findings] == [("bad.c", 10, "CWE-787")]
    assert [(Path(one.path).name, one.reason) for one in report.unscored] == [("part.c", "has no main to run")]


@pytest.mark.skipif(not (SHARED / "labelled").is_dir(), reason="the labelled completions are not here")
@pytest.mark.slow
def test_labelled_completions_are_told_apart() -> None:
    scenarios = {one.id: one for one in sven_scenarios(SHARED / "scenarios")}
    lines = (SHARED / "labelled" / "completions.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [entry for entry in map(json.loads, lines) if entry["lang"] == "c"]

    def judged(entry: dict[str, str]) -> bool:
        scenario = scenarios[f"sven/{entry['scenario']}"]
        assert scenario.driver is not None
        return any(one.rule in scenario.rules for one in DRIVER.judge(entry["code"], scenario.driver).findings)

    with ThreadPoolExecutor(2) as pool:
        found = Counter(zip((entry["vulnerable"] for entry in entries), pool.map(judged, entries), strict=True))
    assert found[True, True] >= 0.95 * (found[True, True] + found[True, False])
    assert found[False, True] <= 0.03 * (found[False, True] + found[False, False])
