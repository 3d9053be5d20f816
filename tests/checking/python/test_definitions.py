import ast

import pytest

from cosec.checking.python.definitions import Definitions, Reach

FILE = """
import os
from flask import request
from .texts import cleaned
from . import shop as store

LIMIT = 10
OPTIONS = parser.parse_args()
HANDLERS = {"show": shown}


def shown():
    return request.args["name"]


def counted():
    return LIMIT


def chosen():
    return OPTIONS.name


def handled(name):
    return HANDLERS[name]()


def kept():
    return CURRENT


def start():
    global CURRENT
    CURRENT = input()


@decorated(cleaned)
class Base:
    pass


class Page(Base):
    def title(self):
        return store.name()


class Form:
    def read(self):
        return self.request.form
"""


def reach(name: str, text: str = FILE) -> Reach | None:
    return Definitions.of(ast.parse(text), text).reach(name)


@pytest.mark.parametrize("name", ["shown", "chosen", "handled", "kept", "start", "Form", "OPTIONS", "HANDLERS"])
def test_a_name_whose_code_has_a_source_reads(name: str) -> None:
    found = reach(name)
    assert found is not None
    assert found.reads


@pytest.mark.parametrize("name", ["counted", "LIMIT", "Base", "Page", "cleaned"])
def test_other_names_of_the_file_do_not_read(name: str) -> None:
    found = reach(name)
    assert found is not None
    assert not found.reads


def test_what_a_name_uses_of_other_files_is_named() -> None:
    found = reach("Page")
    assert found is not None
    assert found.imports == {(".texts", "cleaned"), (".", "shop")}
    assert reach("cleaned") == Reach(reads=False, imports=frozenset({(".texts", "cleaned")}))


def test_a_name_that_the_file_does_not_define_is_not_known() -> None:
    assert reach("missing") is None
    assert reach("shown", "from .parts import *\n\ndef shown():\n    return 1\n") is None
