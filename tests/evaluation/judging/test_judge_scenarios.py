from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cosec.checking.c.driver_inputs import DriverInputs, DriverRun
from cosec.errors import DataError
from cosec.evaluation.judging.judge_scenarios import ScenarioSamples, judge_scenarios
from cosec.evaluation.judging.judges import default_judges
from cosec.evaluation.tasks.scenarios import own_scenarios
from tests.evaluation.scripted import write_scenarios


@pytest.mark.parametrize(
    ("patterns", "said"),
    [
        (("c/null-dereference", "c/command-injection"), "cannot show c/command-injection: remove \\[driver\\]"),
        (("c/weak-file-permissions",), "or set check_created_files = true"),
    ],
)
def test_a_scenario_whose_runs_cannot_show_its_weakness_is_refused(
    tmp_path: Path, patterns: tuple[str, ...], said: str
) -> None:
    scenario, *_ = own_scenarios(write_scenarios(tmp_path, 1))
    driven = replace(scenario, language="c", patterns=patterns, driver=DriverInputs(runs=(DriverRun(),)))
    with pytest.raises(DataError, match=said):
        judge_scenarios([ScenarioSamples(scenario=driven, samples=())], default_judges(), seed=0, functional=False)
