"""The preprocessor's conditions are decided, and its macros expanded, without moving a line."""

from cosec.checking.c.reading.conditions import readings


def read(program: str) -> list[list[str]]:
    return [[line.strip() for line in text.split("\n") if line.strip()] for text in readings(program)]


def test_a_file_without_conditions_is_read_once() -> None:
    assert readings("int a; // one\nint b;\n") == ("int a;  \nint b;\n",)


def test_what_is_known_is_decided_once() -> None:
    program = "#define LEVEL 3\n#if LEVEL > 2 && defined(__GNUC__)\nhigh\n#elif LEVEL\nmiddle\n#else\nlow\n#endif\n"
    assert read(program) == [["#define LEVEL 3", "high"]]


def test_unknown_names_give_two_readings_that_agree_with_themselves() -> None:
    program = (
        "#ifdef A\none\n#else\ntwo\n#endif\n#ifndef A\nthree\n#else\nfour\n#endif\n#if !defined(A)\nfive\n#endif\n"
    )
    assert read(program) == [["one", "four"], ["two", "three", "five"]]


def test_each_reading_takes_one_branch_of_a_chain() -> None:
    program = "#if SIZE > 4\none\n#elif SIZE > 2\ntwo\n#else\nthree\n#endif\n"
    assert read(program) == [["one"], ["three"]]


def test_code_that_neither_reading_would_show_is_in_the_first() -> None:
    assert read("#if defined(A) && !defined(B)\none\n#endif\ntwo\n") == [["one", "two"], ["two"]]


def test_lines_stay_where_they_are() -> None:
    program = "#if 0\na\n#endif\n#define PAIR(x, y) \\\n    x; y\nPAIR(one,\n     two)\nlast\n"
    (text,) = readings(program)
    lines = text.split("\n")
    assert lines[5].split() == ["one;", "two"]
    assert lines[7] == "last"
    assert len(lines) == len(program.split("\n"))


def test_what_ends_a_text_is_no_comment() -> None:
    assert readings('char *a = "/* no */"; /* yes\n */ char b = \'"\'; // "\n') == (
        'char *a = "/* no */";  \n char b = \'"\';  \n',
    )


def test_macros_are_expanded_as_the_compiler_does_it() -> None:
    program = (
        "#define CALL(name) run_##name(#name)\n#define TWICE(x) ONCE(x) ONCE(x)\n#define ONCE(x) [x]\n"
        "#define LOG(form, ...) print(form, ##__VA_ARGS__)\n#define SELF SELF + 1\n"
        'CALL(a) TWICE(1) LOG("x") LOG("y", 1, 2) SELF TWICE\n'
    )
    assert readings(program)[0].split("\n")[5] == 'run_a("a") [1] [1] print("x") print("y",1,2) SELF + 1 TWICE'


def test_macros_that_grow_without_end_stop_growing() -> None:
    steps = "".join(f"#define M{n} M{n + 1} M{n + 1} M{n + 1} M{n + 1}\n" for n in range(20))
    assert len(readings(f"{steps}M0\n")[0]) < 10_000_000
