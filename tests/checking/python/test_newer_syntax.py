import ast
from pathlib import Path

import pytest

from cosec.checking.python import newer_syntax


def parsed(source: str) -> ast.Module:
    return newer_syntax.parse(newer_syntax.tree_of(source))


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ('x = f"{r["a"]}"', "x = f\"{r['a']}\""),
        ("x = f'{a!r:>{w['n']}} {{z}}'", "x = f'{a!r:>{w[\"n\"]}} {{z}}'"),
        ("x = f'{f'{f'{1}'}'}'", "x = f'''{f\"{f'{1}'}\"}'''"),
        ("def f[T: (int, str) = int, *Ts, **P](x: T) -> T: return x", "def f(x: T) -> T: return x"),
        ("async def f[T](x): return x", "async def f(x): return x"),
        ("class A[T](B):\n    def m[U](self): return 1", "class A(B):\n    def m(self): return 1"),
        ("class A[\n    T,  # first\n]: x = 1", "class A: x = 1"),
        ("type X[T] = list[T]", "X = list[T]"),
        ("try: a()\nexcept A, b.C: pass", "try: a()\nexcept (A, b.C): pass"),
        ("try: a()\nexcept* A, B: pass", "try: a()\nexcept* (A, B): pass"),
        ("lazy import os\nlazy from a import b", "import os\nfrom a import b"),
    ],
)
def test_a_newer_construct_means_an_older_one(newer: str, older: str) -> None:
    assert ast.dump(parsed(newer)) == ast.dump(ast.parse(older))


def test_a_backslash_may_stand_inside_an_f_string() -> None:
    (statement,) = parsed("x = f'{'\\t'.join(a)}'").body
    assert eval(ast.unparse(statement).removeprefix("x = "), {"a": "bc"}) == "b\tc"


@pytest.mark.parametrize(
    "source",
    [
        "x = f'{\n    a['b']  # first\n}'\nlast = 1",
        "x = (f'{\n    a['b']\n}',\n    2)\nlast = 1",
        "x = f'''{\n a['b']} {\n c['d']}'''  # end\nlast = 1",
        "def f[\n    T,\n](x): return x\nlast = 1",
        "type X[\n    T\n] = list[\n    T\n]\nlast = 1",
        "\n\n# first\ntype X = int\nlast = 1",
    ],
)
def test_lines_stay_where_they_are(source: str) -> None:
    assert parsed(source).body[-1].lineno == source.count("\n") + 1


def test_an_expression_inside_an_f_string_has_its_own_line() -> None:
    source = "x = f'''\n{\n\n first['a']}\n{second['b']}'''\ntype Y = int\n"
    lines = {node.id: node.lineno for node in ast.walk(parsed(source)) if isinstance(node, ast.Name)}
    assert (lines["first"], lines["second"]) == (4, 5)


def test_letters_of_two_bytes_move_nothing() -> None:
    (assigned,) = parsed("x = f'é{r['ž']}😀'").body
    assert ast.unparse(assigned) == "x = f\"é{r['ž']}😀\""


def test_a_template_string_is_no_text() -> None:
    (statement,) = parsed("x = t'a{b}' t'{c!r}'").body
    assert isinstance(statement, ast.Assign)
    assert isinstance(statement.value, newer_syntax.TemplateStr)
    names = [node.id for value in statement.value.values for node in ast.walk(value) if isinstance(node, ast.Name)]
    assert names == ["b", "c"]


def test_unpacking_in_a_comprehension_yields_every_item() -> None:
    (statement,) = parsed("x = [*row for row in rows if row]").body
    assert eval(ast.unparse(statement).removeprefix("x = "), {"rows": [[1, 2], [], [3]]}) == [1, 2, 3]


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(SyntaxError):
        parsed("def f(:\n    type X = 1\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('print "a"\n', True),
        ('exec "x = 1"\n', True),
        ("try: a()\nexcept ValueError, error: pass\n", True),
        ('raise ValueError, "a"\n', True),
        ("os.chmod(path, 0755)\n", True),
        ("if a <> b: pass\n", True),
        ("try: a()\nexcept ValueError, TypeError: pass\n", False),
        ("x = 00\nprint(f'{a['b']}')\n", False),
        ("def f(:\n", False),
    ],
)
def test_python_2_is_told_apart(source: str, expected: bool) -> None:
    assert newer_syntax.is_python_2(newer_syntax.tree_of(source)) is expected


@pytest.mark.parametrize("path", sorted(Path(newer_syntax.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_a_program_in_older_syntax_keeps_its_tree_and_its_lines(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    made, expected = parsed(source), ast.parse(source)
    assert ast.dump(made) == ast.dump(expected)
    lines = [[node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)] for tree in (made, expected)]
    assert lines[0] == lines[1]
