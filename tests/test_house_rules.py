"""The checks of ``house_rules.py`` find what they are for, and nothing else."""

import pytest

from tests.house_rules import function_lengths, import_cycle, private_accesses, undocumented_names


@pytest.mark.parametrize(
    "source",
    [
        "from cosec.decoding.engine import _Row",
        "from re import _parser as parser",
        "from re._parser import parse",
        "import importlib._bootstrap",
        "def size(cache):\n    return cache._storage.slots",
        "import torch\ntorch.ops.mkldnn._linear_pointwise(1)",
        "def reads(model):\n    return getattr(model, '_supports_sdpa', False)",
        "class Lane:\n    def __init__(self, model):\n        model._rows = 1",
    ],
)
def test_a_private_name_of_another_module_is_found(source: str) -> None:
    assert len(private_accesses(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def fill(self):\n        self._rows = 1\n    def join(self, other):\n        return other._rows",
        "class A:\n    def join(self, other):\n        return other._joined()\n    def _joined(self): ...",
        "class Lane(Base):\n    def join(self):\n        return self._inherited",
        "def _own():\n    return 1\nnumber = _own()",
        "point = record._replace(x=1)",
        "import os\nos._exit(1)",
        "name = cls.__name__",
        "from __future__ import annotations",
    ],
)
def test_a_private_name_of_the_module_itself_is_none(source: str) -> None:
    assert private_accesses(source) == []


def test_undocumented_public_names_are_found_in_modules_and_in_public_classes() -> None:
    source = '''
LIMIT = 3
WIDTH: int = 4
KNOWN = 5
"""Documented."""
_HIDDEN = 6

class Shown:
    """Documented."""
    rows: int
    def moved(self): ...
    def _moved(self): ...

class _Hidden:
    def moved(self): ...

def started():
    def inner(): ...
'''
    assert sorted(undocumented_names(source)) == ["LIMIT", "Shown.moved", "WIDTH", "started"]


def test_function_lengths_include_methods_and_signatures() -> None:
    assert sorted(function_lengths("def one(): ...\nclass A:\n    def two(\n        self,\n    ):\n        ...\n")) == [
        1,
        4,
    ]


def test_a_cycle_of_any_length_is_found() -> None:
    chain = [("a", "b"), ("b", "c"), ("c", "d"), ("b", "d")]
    assert import_cycle(chain) == []
    assert import_cycle([*chain, ("d", "b")])[0] in {"b", "c", "d"}
    assert set(import_cycle([("a", "b"), ("b", "a")])) == {"a", "b"}
