import ast

import pytest

from cosec.checking.python.engine.analysis import MAX_STEPS, FileAnalysis, TooLargeError
from cosec.checking.python.engine.domain.protocol import Analysis, CallSite, Reported
from cosec.checking.python.engine.domain.values import Value


class Recorder:
    """Keeps what it is told, and reports calls of ``danger`` with text from outside."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def on_call(self, site: CallSite) -> None:
        self.events.append(f"call {site.method}")
        for taint in site.analysis.harmful(site.first, "sql") if site.method == "danger" else ():
            site.analysis.report("danger", site.node, "Text from outside", taint.source)

    def result_of(self, site: CallSite) -> Value | None:
        return None

    def on_assignment(self, analysis: Analysis, node: ast.expr, name: str, value: Value) -> None:
        self.events.append(f"assign {name}")

    def on_comparison(self, analysis: Analysis, node: ast.Compare, left: Value, kind: ast.cmpop, right: Value) -> None:
        self.events.append(f"compare {type(kind).__name__}")

    def on_result(self, analysis: Analysis, value: Value, node: ast.Return | ast.Yield) -> None:
        self.events.append(f"return {value.constant}")

    def on_end(self, analysis: Analysis) -> None:
        self.events.append("end")


def run(source: str) -> tuple[FileAnalysis, Recorder]:
    recorder = Recorder()
    analysis = FileAnalysis(ast.parse(source), recorder)
    analysis.run()
    return analysis, recorder


def test_an_observer_receives_the_events_of_a_run_in_order() -> None:
    _, recorder = run("size = 1\ndef work():\n    if size == 2:\n        start()\n    return 3\n")
    assert recorder.events == ["assign size", "compare Eq", "call start", "return 3", "end"]


def test_the_observer_decides_what_a_finding_is() -> None:
    source = "def work(name):\n    danger('constant')\n    danger(name)\n    harmless(name)\n"
    analysis, _ = run(source)
    message = "Text from outside (parameter 'name' of work())"
    assert analysis.findings == {(3, "danger"): Reported(message, "warning")}


def test_of_two_findings_at_one_line_the_more_severe_stays() -> None:
    source = "def work(name):\n    danger(name), danger(input()), danger(name)\n"
    analysis, _ = run(source)
    assert analysis.findings == {(2, "danger"): Reported("Text from outside (input())", "error")}


def test_a_certain_source_is_named_before_an_uncertain_one() -> None:
    analysis, _ = run("def work(name):\n    danger(name + input())\n")
    assert analysis.findings == {(2, "danger"): Reported("Text from outside (input())", "error")}


def test_a_file_that_takes_too_many_steps_is_given_up() -> None:
    with pytest.raises(TooLargeError):
        run("x = 1\n" * MAX_STEPS)


def test_methods_run_again_only_after_one_of_them_stored_something() -> None:
    source = "class Page:\n    def first(self):\n        start()\n    def second(self):\n        {}\n"
    for stored, calls in (("pass", 1), ("local = 1", 1), ("self.size = 2", 2)):
        _, recorder = run(source.format(stored))
        assert recorder.events.count("call start") == calls, stored


def test_a_method_sees_what_a_later_one_stored() -> None:
    second = "    def second(self, text):\n        self.text = text\n"
    source = f"class Page:\n    def first(self):\n        danger(self.text)\n{second}"
    analysis, _ = run(source)
    assert list(analysis.findings) == [(3, "danger")]
