from __future__ import annotations

import pytest

from cosec.checking.c.compiler import compile_error
from cosec.evaluation.extraction.extract import Extracted, extract
from cosec.evaluation.tasks.scenarios import Scenario, own_scenarios

PROMPT = 'import os\n\n\ndef show(db, name):\n    """Show a user."""\n    row = db.execute('
C_PROMPT = "#include <stdlib.h>\n\nint work(int size) {\n    char *buffer = malloc(size);"


def py(completion: str, prompt: str = PROMPT, sinks: tuple[str, ...] = ("execute",)) -> Extracted:
    return extract(prompt, completion, language="py", sinks=sinks)


def c(completion: str, prompt: str = C_PROMPT, sinks: tuple[str, ...] = ("->", "[]")) -> Extracted:
    return extract(prompt, completion, language="c", sinks=sinks)


def test_a_python_completion_ends_with_its_function() -> None:
    got = py('"SELECT 1")\n    return row\n\n\ndef other():\n    pass\n\nprint(other())\n')
    assert got.program == PROMPT + '"SELECT 1")\n    return row\n\n\n'
    assert (got.problem, got.empty, got.engaged) == (None, False, True)


def test_text_in_a_string_does_not_end_the_function() -> None:
    got = py('"""SELECT\n1\n""")\n    return row\nshow()')
    assert got.program.endswith("    return row\n")


def test_a_method_ends_at_the_next_method_and_an_inner_function_does_not_end_its_outer_one() -> None:
    method = "class A:\n    def f(self):\n"
    assert py("        return 1\n\n    def g(self):\n        return 2\n", method).program.endswith("return 1\n\n")
    inner = "def f():\n    def g():\n"
    assert py("        return 1\n\n    return g\n\nx = 1\n", inner).program.endswith("    return g\n\n")


def test_a_statement_that_was_cut_off_is_given_up() -> None:
    got = py('"SELECT 1")\n    return row.fetchone(')
    assert got.program.endswith('"SELECT 1")\n')
    assert got.problem is None


def test_an_open_try_is_closed_by_something_that_does_nothing() -> None:
    got = py('"SELECT 1")\n    return row["na', prompt=PROMPT.replace("    row", "    try:\n        row"))
    assert got.problem is None
    assert got.program.endswith("    finally:\n        pass\n")


@pytest.mark.parametrize("completion", ["", "\n", "\n    # later\n", "\n\ndef other():\n    return 1\n"])
def test_a_completion_without_code_is_empty(completion: str) -> None:
    assert py(completion, prompt="def f(a):\n    # do it").empty
    assert c(completion.replace("#", "//").split("\n\n")[0]).empty


@pytest.mark.parametrize(
    "body", ["pass", "...", '"""Later."""', "return", "return None", "raise NotImplementedError()"]
)
def test_a_body_that_does_nothing_is_empty(body: str) -> None:
    assert py(f"\n    {body}\n", prompt="def f(a):").empty


@pytest.mark.parametrize("body", ["a.run()", "return 1", "if a:\n        a = 2", "raise ValueError(a)", "del a"])
def test_a_body_that_does_something_is_not_empty(body: str) -> None:
    assert not py(f"\n    {body}\n", prompt="def f(a):").empty


@pytest.mark.parametrize("completion", ["\n    int return = ;\n", "((((\n", "\n\t x\n  y\n"])
def test_text_that_parses_nowhere_is_a_problem_with_a_reason(completion: str) -> None:
    got = py(completion)
    assert got.problem
    assert not got.engaged


@pytest.mark.parametrize(
    ("completion", "sink", "engaged"),
    [
        ("\n    db.execute(1)", "execute", True),
        ("\n    db.executor(1)", "execute", False),
        ("\n    return 'execute(1)'", "execute", False),
        ("\n    return db[0]", "[]", True),
        ("\n    return db == 1", "==", True),
        ("\n    return db in (1,)", "in", True),
        ("\n    app.secret_key = 'x'", "secret_key=", True),
        ("\n    app.config['SECRET_KEY'] = 'x'", "SECRET_KEY=", True),
        ("\n    connect(password='x')", "password=", True),
        ("\n    print(password)", "password=", False),
        ("\n    return 1", "return", True),
    ],
)
def test_engaged_means_that_the_completion_reaches_the_sink(completion: str, sink: str, engaged: bool) -> None:
    assert py(completion, prompt="def f(db):", sinks=(sink,)).engaged is engaged


def test_a_call_before_the_prompt_ends_does_not_engage() -> None:
    assert not py("\n    return 1", prompt="def f(db):\n    db.execute(0)").engaged


def test_duplicates_differ_in_comments_and_layout_only() -> None:
    one = py('"SELECT 1")  # first\n    return row\n')
    other = py("'SELECT 1',\n    )\n\n    return (row)\n")
    third = py('"SELECT 2")\n    return row\n')
    assert one.normalised == other.normalised != third.normalised


def test_a_c_completion_ends_with_its_function() -> None:
    got = c("\n    if (!buffer) { return 1; } // }\n    buffer[0] = '}';\n    puts(\"}\");\n}\n\nint other(void);\n")
    assert got.program.endswith('puts("}");\n}\n')
    assert (got.problem, got.empty, got.engaged) == (None, False, True)
    assert compile_error(got.program) is None


def test_a_c_completion_that_was_cut_off_keeps_its_statements() -> None:
    got = c("\n    for (int i = 0; i < size; i++) {\n        buffer[i] = 1;\n        buffer[i + 1] = bu")
    assert got.program.endswith("buffer[i] = 1;\n}}\n")
    assert got.problem is None
    assert got.engaged


@pytest.mark.parametrize(
    ("completion", "kept"),
    [
        ("#ifdef X\n  a = 1;\n#endif", True),
        ("#ifdef X\n  a = 1;\n# endif /* X */\n#ifdef Y", True),
        ("  a = 1;\n#ifdef X", False),
    ],
)
def test_a_c_body_may_end_with_a_condition_of_the_preprocessor(completion: str, kept: bool) -> None:
    found = c(completion, prompt="void f(int a) {\n")
    assert found.problem is None
    assert ("endif" in found.program) == kept
    assert "Y" not in found.program


@pytest.mark.parametrize("body", ["return 0;", ";", "return;", "int unused;"])
def test_a_c_body_that_does_nothing_is_empty(body: str) -> None:
    assert c(f"\n    {body}\n}}\n").empty


@pytest.mark.parametrize(
    ("body", "sink", "engaged"),
    [
        ("strcpy(buffer, name);", "strcpy", True),
        ("copy->strcpy(buffer);", "strcpy", True),
        ("mystrcpy(buffer);", "strcpy", False),
        ("buffer->x = 1;", "->", True),
        ("*buffer = 1;", "->", True),
        ("size = size * 2;", "*", True),
        ("size += 2;", "+", True),
        ("size++;", "+", True),
        ("return size;", "+", False),
    ],
)
def test_engaged_in_c(body: str, sink: str, engaged: bool) -> None:
    assert c(f"\n    {body}\n}}\n", sinks=(sink,)).engaged is engaged


def test_c_that_does_not_parse_or_compile_says_why() -> None:
    assert "line 5" in str(c("\n    int = = 3;\n}\n").problem)
    assert "undeclared" in str(compile_error("int f(void) { return nothing; }"))


@pytest.mark.parametrize("operator", ["-" * 400, "not " * 400])
def test_python_that_is_nested_too_deeply_is_a_problem(operator: str) -> None:
    got = py(f"\n    raise ValueError({operator}a)\n", prompt="def f(a):", sinks=())
    assert got.problem == "nested too deeply to be read"


def test_deeply_nested_c_is_a_program_like_any_other() -> None:
    got = c(f"\n    return {'!' * 2000}size;\n}}\n", sinks=("return",))
    assert (got.problem, got.empty, got.engaged) == (None, False, True)
    assert got.normalised.endswith("! ! size ; }")
    assert c("{" * 2000).empty


def reference_id(scenario: Scenario) -> str:
    return f"{scenario.id}@{scenario.depth}"


@pytest.mark.parametrize("scenario", own_scenarios(), ids=reference_id)
def test_every_reference_is_a_program_that_engages_with_its_task(scenario: Scenario) -> None:
    for reference in scenario.references:
        got = extract(scenario.prompt, reference.code, language=scenario.language, sinks=scenario.sinks)
        assert (got.problem, got.empty, got.engaged) == (None, False, True), reference.code


@pytest.mark.parametrize("own", ["    return f\"{'\u00a0'.join(a)}\"\n", f"    return 0x{'f' * 4000}\n"])
def test_a_program_that_this_python_cannot_print_again_is_judged(own: str) -> None:
    found = extract("def f(a):\n", own, language="py")
    assert found.problem is None
    assert found.normalised == extract("def f(a):\n", own.rstrip() + "  # same\n", language="py").normalised
