import ast

from cosec.checking.python.engine.domain.memory import content
from cosec.checking.python.engine.domain.program import Bound, Class, Function, Module, Program
from cosec.checking.python.engine.domain.values import Held, Value, constant, holding


def test_content_is_equal_until_something_reachable_changes() -> None:
    inner = Held("list")
    names = {"items": holding(Held("dict", {("a",): holding(inner)})), "count": constant(1)}
    before = content([names], [])
    assert content([names], []) == before
    names["count"] = constant(1)
    assert content([names], []) == before
    inner.add(constant("x"))
    assert content([names], []) != before


def test_content_follows_classes_methods_and_objects() -> None:
    module = Module(Program.of(ast.parse("")))
    node = ast.parse("class A:\n    def f(self, x=[]): pass").body[0]
    assert isinstance(node, ast.ClassDef)
    method = node.body[0]
    assert isinstance(method, ast.FunctionDef)
    default, scope, base = Held("list"), {"outer": constant(1)}, Class(node)
    function = Function(method, (scope,), {"x": holding(default)}, module)
    owner = Class(node, (Value(targets=(base,)),), {"f": Value(targets=(function,))})
    bound = Bound(Value(targets=(owner,)), (constant(2),))
    roots = [Value(targets=(bound,))]
    for change in (
        lambda: default.add(constant("x")),
        lambda: scope.update(outer=constant(2)),
        lambda: base.members.update(name=constant(1)),
        lambda: owner.members.update(name=constant(1)),
    ):
        before = content([], roots)
        assert content([], roots) == before
        change()
        assert content([], roots) != before
    instance = Held("instance", owner=owner)
    before = content([], [holding(instance)])
    default.forget_places()
    scope["more"] = constant(3)
    assert content([], [holding(instance)]) != before


def test_content_of_objects_that_hold_each_other_ends() -> None:
    first, second = Held("list"), Held("list")
    first.add(holding(second))
    second.add(holding(first))
    assert len(content([], [holding(first)])) == 2
