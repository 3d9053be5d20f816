"""Trees of C are walked in source order, however deep they are."""

from __future__ import annotations

from cosec.checking.c.reading.trees import nodes_of, tree_of


def test_a_tree_is_walked_in_source_order_from_its_root() -> None:
    root = tree_of(b"int a = 1;").root_node
    texts = [(node.text or b"").decode() for node in nodes_of(root)]
    assert texts == ["int a = 1;", "int a = 1;", "int", "a = 1", "a", "=", "1", ";"]


def test_a_tree_of_any_depth_is_walked() -> None:
    root = tree_of(b"int a = " + b"!" * 5000 + b"1;").root_node
    assert sum(node.type == "unary_expression" for node in nodes_of(root)) == 5000
