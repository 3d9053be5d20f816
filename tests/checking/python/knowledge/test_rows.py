"""A source, a sink or a cleaner is one more row: nothing else has to change."""

from pathlib import Path

import pytest

from cosec.checking.python.checker import FlowChecker, check_source
from cosec.checking.python.engine.library import results, sources
from cosec.checking.python.knowledge.cleaning import REMOVES
from cosec.checking.python.knowledge.sinks import SQL, Sink
from cosec.checking.python.knowledge.sources import CALLS, CallSource
from cosec.checking.python.sinks import sql

PROGRAM = """\
import driver, queue_client

def work(db):
    message = queue_client.poll()
    driver.raw_statement("SELECT " + message)
    db.execute("SELECT " + message)
    db.execute("SELECT " + driver.fenced(message))
"""
POLL = CallSource(kind="remote", functions=frozenset({"queue_client.poll"}))
RAW = Sink(functions=frozenset({"driver.raw_statement"}))


def lines() -> list[int]:
    return [one.line for one in check_source(PROGRAM, Path("program.py"), FlowChecker.patterns).findings]


def test_rows_are_all_that_a_new_source_sink_and_cleaner_need(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines() == []
    monkeypatch.setattr(sources, "CALLS", (*CALLS, POLL))
    assert lines() == [6, 7]
    monkeypatch.setattr(sql, "SQL", (RAW, *SQL))
    assert lines() == [5, 6, 7]
    monkeypatch.setattr(results, "REMOVES", {**REMOVES, "fenced": frozenset({"sql"})})
    assert lines() == [5, 6]
