"""A completion that is stopped while it grows makes the same program as the whole text would."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from cosec.checking.patterns import Language
from cosec.decoding.completion import CodeWatcher
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.tasks.scenarios import Scenario, own_scenarios

RECORDS = Path(__file__).parents[3] / "docs" / "results" / "decision" / "records.tar.xz"
SCENARIOS = {f"{one.id}@{one.depth}": one for one in own_scenarios()}


def stopped(prompt: str, text: str, language: Language, step: int = 1) -> str:
    """The part of the text that is kept when it arrives in pieces of ``step`` characters."""
    watch = CodeWatcher(prompt, language, function=True)
    for size in range(step, len(text) + step, step):
        place = watch.place(text[:size])
        if place is not None:
            return text[:place]
    return text


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


def test_every_reference_with_a_fence_and_prose_behind_it_is_extracted_to_the_same_program() -> None:
    prose = "\n```\n\nThis is how it works: `f` isn't called `twice`.\n\n```python\nf()\n```\n"
    for scenario in own_scenarios():
        for one in scenario.references[::4]:
            assert same_program(scenario, one.code + prose, 5), scenario.id
            plain, fenced = (
                extract(scenario.prompt, text, language=scenario.language, sinks=scenario.sinks)
                for text in (one.code, one.code + prose)
            )
            assert (fenced.normalised, fenced.engaged) == (plain.normalised, plain.engaged), scenario.id


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
