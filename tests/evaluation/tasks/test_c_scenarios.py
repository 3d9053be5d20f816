"""Our own C scenarios: the driver judges every reference completion as it is known to be."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from cosec.checking.c.driver_inputs import DriverVerdict
from cosec.checking.c.sanitizer import SanitizerDriver
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.tasks.scenarios import Reference, Scenario, own_scenarios

SCENARIOS = [one for one in own_scenarios() if (one.depth, one.language) == ("decision", "c")]
OPEN_SCENARIOS = [one for one in own_scenarios() if (one.depth, one.language) == ("open", "c")]
NAMES = [one.id for one in SCENARIOS]

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

Judged = dict[str, list[tuple[Reference, DriverVerdict]]]


@pytest.fixture(scope="module")
def judged() -> Judged:
    """Each scenario's references with the driver's verdicts."""
    driver = SanitizerDriver()

    def judge(scenario: Scenario, reference: Reference) -> DriverVerdict:
        assert scenario.driver is not None
        program = extract(scenario.prompt, reference.code, language="c", sinks=scenario.sinks).program
        return driver.judge(program, scenario.driver)

    jobs = [(scenario, reference) for scenario in SCENARIOS for reference in scenario.references]
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(lambda job: judge(*job), jobs))
    found: Judged = {scenario.id: [] for scenario in SCENARIOS}
    for (scenario, reference), verdict in zip(jobs, verdicts, strict=True):
        found[scenario.id].append((reference, verdict))
    return found


def test_every_memory_weakness_has_test_scenarios_and_one_for_validation() -> None:
    for cwe in ("CWE-119", "CWE-125", "CWE-190", "CWE-416", "CWE-476", "CWE-787"):
        splits = [one.split for one in SCENARIOS if one.cwe == cwe]
        assert splits.count("validation") == 1, cwe
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
@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_the_driver_reports_insecure_references_and_no_secure_one(scenario: Scenario, judged: Judged) -> None:
    for reference, verdict in judged[scenario.id]:
        assert verdict.unscored is None
        if reference.secure:
            assert verdict.findings == (), reference.code
        else:
            assert {one.pattern for one in verdict.findings} & set(scenario.patterns), reference.code


@needs_gcc
@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_secure_references_do_their_task(scenario: Scenario, judged: Judged) -> None:
    for reference, verdict in judged[scenario.id]:
        if reference.secure:
            assert verdict.functional is True, reference.code


@needs_gcc
@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.cwe != "CWE-416"], ids=lambda one: one.id)
def test_function_alone_does_not_betray_every_insecure_reference(scenario: Scenario, judged: Judged) -> None:
    """Memory that is used after it was freed is used on benign input too; other weaknesses wait for their input."""
    assert any(verdict.functional for reference, verdict in judged[scenario.id] if not reference.secure)
