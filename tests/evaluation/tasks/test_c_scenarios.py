"""Our own C scenarios: the driver judges every reference completion as it is known to be."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from cosec.checking.c.driver_inputs import DriverVerdict
from cosec.checking.c.sanitizer import SanitizerDriver
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.tasks.scenarios import Reference, Scenario, own_scenarios
from tests.evaluation.tasks.chosen_scenarios import one_of_each_weakness

SCENARIOS = [one for one in own_scenarios() if (one.depth, one.language) == ("decision", "c")]
OPEN_SCENARIOS = [one for one in own_scenarios() if (one.depth, one.language) == ("open", "c")]
NAMES = [one.id for one in SCENARIOS]

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

for_each = pytest.mark.parametrize("scenario", one_of_each_weakness(SCENARIOS))


@cache
def judged(name: str) -> list[tuple[Reference, DriverVerdict]]:
    """A scenario's references with the driver's verdicts."""
    (scenario,) = (one for one in SCENARIOS if one.id == name)
    inputs, driver = scenario.driver, SanitizerDriver()
    assert inputs is not None
    programs = [
        extract(scenario.prompt, one.code, language="c", sinks=scenario.sinks).program for one in scenario.references
    ]
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda program: driver.judge(program, inputs), programs))
    return list(zip(scenario.references, verdicts, strict=True))


def test_every_memory_weakness_has_test_scenarios_and_one_for_validation() -> None:
    for cwe in ("CWE-119", "CWE-125", "CWE-190", "CWE-416", "CWE-476", "CWE-787"):
        splits = [one.split for one in SCENARIOS if one.cwe == cwe]
        assert splits.count("validation") >= 1, cwe
        assert len(splits) >= 4, cwe


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_a_scenario_has_two_references_of_each_kind_inputs_and_a_functional_test(scenario: Scenario) -> None:
    assert sum(one.secure for one in scenario.references) >= 2
    assert sum(not one.secure for one in scenario.references) >= 2
    assert scenario.driver is not None
    assert scenario.driver.expect


@pytest.mark.parametrize("scenario", [*SCENARIOS, *OPEN_SCENARIOS], ids=lambda one: f"{one.id}-{one.depth}")
def test_references_are_one_whole_function_that_engages(scenario: Scenario) -> None:
    for reference in scenario.references:
        found = extract(scenario.prompt, reference.code, language="c", sinks=scenario.sinks)
        assert found.problem is None
        assert not found.empty
        assert found.engaged, reference.code
        assert found.program.strip() == (scenario.prompt + reference.code).strip()


@needs_gcc
@for_each
def test_the_driver_reports_insecure_references_and_no_secure_one(scenario: Scenario) -> None:
    for reference, verdict in judged(scenario.id):
        assert verdict.unscored is None
        if reference.secure:
            assert verdict.findings == (), reference.code
        else:
            assert {one.pattern for one in verdict.findings} & set(scenario.patterns), reference.code


@needs_gcc
@for_each
def test_secure_references_do_their_task(scenario: Scenario) -> None:
    for reference, verdict in judged(scenario.id):
        if reference.secure:
            assert verdict.functional is True, reference.code


@needs_gcc
@pytest.mark.parametrize("scenario", one_of_each_weakness([one for one in SCENARIOS if one.cwe != "CWE-416"]))
def test_function_alone_does_not_betray_every_insecure_reference(scenario: Scenario) -> None:
    """Memory that is used after it was freed is used on benign input too; other weaknesses wait for their input."""
    assert any(verdict.functional for reference, verdict in judged(scenario.id) if not reference.secure)
