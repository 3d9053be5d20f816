from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.decoding.settings import SamplingSettings
from cosec.errors import StudyError
from cosec.evaluation.report.read_results import read_results
from cosec.evaluation.study.arms import parse_arm
from cosec.evaluation.study.manifest import open_study, recorded_runtime
from cosec.evaluation.study.records import Record, StudyFolder
from cosec.evaluation.study.units import units_of
from tests.evaluation.scripted import write_scenarios
from tests.evaluation.study.runs import run, settings, without_times


def test_another_study_is_not_mixed_into_a_folder(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    with pytest.raises(StudyError, match=r"holds another study: its temperature is 0\.4, this one's is 1"):
        run(settings(scenarios, temperature=1.0), tmp_path / "out")
    more = {"name": "tiny", "scenarios": str(scenarios), "depth": "decision", "samples": 21}
    with pytest.raises(StudyError, match=r"its benchmarks\.0\.samples is 20, this one's is 21\."):
        run(settings(scenarios, benchmarks=(more,)), tmp_path / "out")
    (scenarios / "cwe-089" / "lookup-0" / "decision.py").write_text(
        "import sqlite3\n\n\ndef lookup_0(connection, name):\n    connection.executemany(", encoding="utf-8"
    )
    with pytest.raises(StudyError, match="prompts_sha256"):
        run(settings(scenarios), tmp_path / "out")


def test_a_folder_may_gain_arms_and_seeds_and_keeps_what_it_has(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios, arms=("origin",), seeds=(1,)), tmp_path / "out")
    before = without_times(tmp_path / "out")
    steps = run(settings(scenarios, name="more", arms=("lora", "origin"), seeds=(0, 1)), tmp_path / "out")
    assert sum(step.tokens > 0 for step in steps) == 3
    results = read_results(StudyFolder(tmp_path / "out"))
    assert (results.settings.name, results.settings.arms, results.settings.seeds) == (
        "study",
        ("origin", "lora"),
        (1, 0),
    )
    assert results.recorded == results.expected == 4 * 60
    assert before.items() <= without_times(tmp_path / "out").items()


def test_a_folder_may_gain_the_security_model_with_its_first_arm(tmp_path: Path) -> None:
    alone, both = {"target": "t"}, {"target": "t", "security": "s", "adapter": "a", "security dtype": "float16"}
    chosen = settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",))

    def opened(name: str, *steps: dict[str, str]) -> dict[str, str]:
        folder = StudyFolder(tmp_path / name)
        for models in steps:
            open_study(folder, chosen, units_of(chosen), models, judges="1")
        found: dict[str, str] = folder.manifest()["identity"]["models"]
        return found

    assert opened("grown", alone, both) == both
    assert opened("smaller", both, alone, both) == both
    for other in ({"target": "t", "security": "s"}, {**both, "adapter": "b"}, {**both, "target": "u"}, {"target": "u"}):
        with pytest.raises(StudyError, match="holds another study: its models"):
            opened(f"other {other}", both, other)
    earlier, based = {"target": "t", "adapter": "a"}, {"target": "t", "base": "b", "adapter": "a"}
    assert opened("text", earlier, based) == opened("text alone", alone, based, alone) == based
    with pytest.raises(StudyError, match=r"its models\.base is \"b\", this one's is \"c\""):
        opened("other base", earlier, based, {**based, "base": "c"})


def test_an_arm_is_not_continued_under_other_settings_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    first = settings(scenarios, arms=("origin", "gate"), seeds=(0,))
    run(first, tmp_path / "out")
    found = StudyFolder(tmp_path / "out").manifest()["identity"]["rules"]
    assert found == {"gate": parse_arm("gate").settings(SamplingSettings()).rule.model_dump()}
    later = {"gate": {"name": "gate", "strength": 0.25}}  # as in a release with another default
    monkeypatch.setattr("cosec.evaluation.study.arms._RULE_OF_ARM", later)
    with pytest.raises(StudyError, match=r"its rules\.gate\.strength is 0\.1, this one's is 0\.25"):
        run(settings(scenarios, arms=("origin", "gate"), seeds=(0, 1)), tmp_path / "out")
    assert [step.tokens for step in run(first, tmp_path / "out")] == [0, 0], "a finished arm is only judged"


@pytest.mark.parametrize(
    ("models", "floor"),
    [
        ({"target": "t", "adapter": "a"}, 0.02),
        ({"target": "t", "security": "s", "adapter": "a"}, 0.02),
        ({"target": "t", "base": "b", "adapter": "a"}, 0.0),
        ({"target": "http://host/v1 its first", "base": "b", "adapter": "a"}, 0.0),
        ({"target": "http://host/v1 its first", "adapter": "a"}, 0.0),
    ],
)
def test_rules_are_recorded_as_they_are_for_the_target(tmp_path: Path, models: dict[str, str], floor: float) -> None:
    chosen, folder = settings(write_scenarios(tmp_path / "scenarios")), StudyFolder(tmp_path / "out")
    open_study(folder, chosen, units_of(chosen), models, judges="1")
    (rule,) = folder.manifest()["identity"]["rules"].values()
    assert (rule["strength"], rule["plausibility_floor"]) == (0.1, floor)


def test_a_setting_that_earlier_releases_lack_is_recorded_only_where_it_has_an_effect(tmp_path: Path) -> None:
    arms = ("steer:strength=1", "steer:strength=1,security_floor=0.1")
    chosen = settings(write_scenarios(tmp_path / "scenarios"), arms=arms)
    folder = StudyFolder(tmp_path / "out")
    open_study(folder, chosen, units_of(chosen), {"target": "t", "adapter": "a"}, judges="1")
    earlier = {"name": "steer", "strength": 1.0, "against": "base"}
    rules = list(folder.manifest()["identity"]["rules"].values())
    assert earlier in rules
    assert {**earlier, "security_floor": 0.1} in rules


def test_a_folder_without_rules_stays_usable_and_gains_those_of_further_arms(tmp_path: Path) -> None:
    scenarios, folder = write_scenarios(tmp_path / "scenarios"), StudyFolder(tmp_path / "out")
    run(settings(scenarios), folder.path)

    def without_rules(manifest: Record) -> Record:
        return {**manifest, "identity": {k: v for k, v in manifest["identity"].items() if k != "rules"}}

    folder.change_manifest(without_rules)
    assert all(step.tokens == 0 for step in run(settings(scenarios), folder.path))
    run(settings(scenarios, arms=("origin", "gate:strength=0.1", "steer")), folder.path)
    assert set(folder.manifest()["identity"]["rules"]) == {"steer"}


def test_a_smaller_study_continues_a_folder_without_taking_anything_from_it(tmp_path: Path) -> None:
    scenarios = write_scenarios(tmp_path / "scenarios")
    run(settings(scenarios), tmp_path / "out")
    steps = run(settings(scenarios, arms=("origin",), seeds=(0,)), tmp_path / "out")
    assert [step.tokens for step in steps] == [0]
    results = read_results(StudyFolder(tmp_path / "out"))
    assert (results.settings.seeds, results.recorded, results.expected) == ((0, 1), 240, 240)


@pytest.mark.parametrize(
    "content",
    [
        b'{"base": "x"}',
        b"[1]",
        b"7",
        b"\xff\xfe",
        b"{",
        b'{"name": 1, "identity": {"models": {}}, "completions_each": 1}',
        b'{"name": "x", "identity": {"models": {}}}',
        b'{"name": "x", "identity": {}, "completions_each": 1}',
    ],
)
def test_a_manifest_of_something_else_is_no_study(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    for read in (read_results, recorded_runtime):
        with pytest.raises(StudyError, match=r"holds no study.*name the --out folder"):
            read(StudyFolder(tmp_path))
    with pytest.raises(StudyError, match="holds no study"):
        StudyFolder(tmp_path).open({"identity": {}})


def test_a_manifest_is_replaced_with_the_users_usual_permissions(tmp_path: Path) -> None:
    run(settings(write_scenarios(tmp_path / "scenarios"), arms=("origin",), seeds=(0,)), tmp_path / "out")
    usual = tmp_path / "usual"
    usual.touch()
    assert (tmp_path / "out" / "manifest.json").stat().st_mode == usual.stat().st_mode


def test_a_folder_tells_its_runtime(tmp_path: Path) -> None:
    assert recorded_runtime(StudyFolder(tmp_path)) is None
    for models, runtime in (({"target": "1"}, "torch"), ({"runtime": "llama.cpp", "target": "1"}, "llama.cpp")):
        (tmp_path / "manifest.json").write_text(
            json.dumps({"name": "x", "completions_each": 1, "identity": {"models": models}})
        )
        assert recorded_runtime(StudyFolder(tmp_path)) == runtime
