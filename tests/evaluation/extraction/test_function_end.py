from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from cosec.checking.patterns import Language
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.extraction.function_end import FunctionEnd
from cosec.evaluation.tasks.scenarios import Scenario, own_scenarios

RECORDS = Path(__file__).parents[3] / "docs" / "results" / "decision" / "records.tar.xz"
SCENARIOS = {f"{one.id}@{one.depth}": one for one in own_scenarios()}


def stopped(prompt: str, text: str, language: Language, step: int = 1) -> str:
    """The part of the text that is kept when it arrives in pieces of ``step`` characters."""
    watch = FunctionEnd(prompt, language)
    for size in range(step, len(text) + step, step):
        place = watch.place(text[:size])
        if place is not None:
            return text[:place]
    return text


@pytest.mark.parametrize(
    ("prompt", "text", "kept"),
    [
        ("def f(a):", "\n    return a\n\nf(1)\nmore", "\n    return a\n\n"),
        ("def f(a):", "\n    return a\n\nf(1)", "\n    return a\n\nf(1)"),  # the line may go on
        ("def f(a):", "\n    x = '''\nf(1)\n'''\n    return x\n", "\n    x = '''\nf(1)\n'''\n    return x\n"),
        ("def f(a):", "\n    g(a,\nb)\n# later\n\n    h()\n", "\n    g(a,\nb)\n# later\n\n    h()\n"),
        ("class A:\n    def f(self):", "\n        return 1\n\n    x = 2\n", "\n        return 1\n\n"),
        ("import os\n", "\nx = 1\ny = 2\n", "\nx = 1\ny = 2\n"),
    ],
)
def test_python_ends_with_the_whole_line_that_leaves_the_function(prompt: str, text: str, kept: str) -> None:
    assert stopped(prompt, text, "py") == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" if (a) { b(); } return 1; } int g", " if (a) { b(); } return 1; }"),
        (
            " puts(\"}\"); /* } */ char c = '}'; // }\n return; }\n}",
            " puts(\"}\"); /* } */ char c = '}'; // }\n return; }",
        ),
        (' puts("}', ' puts("}'),
    ],
)
def test_c_ends_with_the_brace_that_closes_the_function(text: str, kept: str) -> None:
    assert stopped("int f(int a) {", text, "c") == kept


def same_program(scenario: Scenario, text: str, step: int = 1) -> bool:
    """Whether cutting early changes nothing that is judged."""
    kept = stopped(scenario.prompt, text, scenario.language, step)
    early, late = (
        extract(scenario.prompt, one, language=scenario.language, sinks=scenario.sinks) for one in (kept, text)
    )
    return early == late


def test_every_reference_with_more_code_behind_it_is_extracted_to_the_same_program() -> None:
    more = {"py": "\n\nx = 1\nrun(x)\n", "c": "\n\nint more(void) { return 1; }\n"}
    for scenario in own_scenarios():
        for one in scenario.references:
            assert same_program(scenario, one.code + more[scenario.language]), scenario.id


def test_recorded_completions_are_extracted_to_the_same_program() -> None:
    looked = cut = 0
    with tarfile.open(RECORDS) as archive:
        for member in archive:
            file = archive.extractfile(member) if "completions" in member.name else None
            for line in file or ():
                record = json.loads(line)
                scenario = SCENARIOS.get(record["task"])
                if scenario is not None and record["sample"] == 0:
                    looked += 1
                    cut += stopped(scenario.prompt, record["text"], scenario.language, 3) != record["text"]
                    assert same_program(scenario, record["text"], 3), record
    assert looked > 500
    assert cut > 10
