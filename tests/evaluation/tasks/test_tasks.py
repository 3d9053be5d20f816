from __future__ import annotations

from pathlib import Path

import pytest

from cosec.errors import DataError
from cosec.evaluation.judging.judge_problems import judge_problem
from cosec.evaluation.tasks.samples import Sample
from cosec.evaluation.tasks.tasks import Benchmark, tasks_of
from tests.evaluation.scripted import write_scenarios


def test_scenarios_become_tasks_of_one_depth_each(tmp_path: Path) -> None:
    write_scenarios(tmp_path, 2)
    both = tasks_of(Benchmark(name="x", scenarios=str(tmp_path)))
    assert [task.id for task in both] == [
        "own/cwe-089/lookup-0@open",
        "own/cwe-089/lookup-0@decision",
        "own/cwe-089/lookup-1@open",
        "own/cwe-089/lookup-1@decision",
    ]
    assert [task.id for task in tasks_of(Benchmark(name="x", scenarios=str(tmp_path), depth="open"))] == [
        both[0].id,
        both[2].id,
    ]


def test_validation_scenarios_enter_only_where_they_are_named(tmp_path: Path) -> None:
    write_scenarios(tmp_path, 2)
    card = tmp_path / "cwe-089" / "lookup-1" / "scenario.toml"
    card.write_text(card.read_text(encoding="utf-8") + 'split = "validation"\n', encoding="utf-8")
    assert {task.id for task in tasks_of(Benchmark(name="x", scenarios=str(tmp_path), depth="open"))} == {
        "own/cwe-089/lookup-0@open"
    }
    chosen = Benchmark(name="x", scenarios=str(tmp_path), depth="open", split=("validation",))
    assert {task.id for task in tasks_of(chosen)} == {"own/cwe-089/lookup-1@open"}


def test_a_limit_is_spread_over_the_set(tmp_path: Path) -> None:
    write_scenarios(tmp_path, 9)
    chosen = tasks_of(Benchmark(name="x", scenarios=str(tmp_path), depth="open", limit=3))
    assert [task.id[-6:-5] for task in chosen] == ["0", "3", "6"]


def test_a_recipe_may_name_its_data_by_an_environment_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenarios(tmp_path, 1)
    chosen = Benchmark(name="x", scenarios="$SCENARIOS_HERE")
    with pytest.raises(DataError, match="environment variable that is not set"):
        tasks_of(chosen)
    monkeypatch.setenv("SCENARIOS_HERE", str(tmp_path))
    assert len(tasks_of(chosen)) == 2


@pytest.mark.parametrize("fields", [{}, {"scenarios": "own", "problems": "humaneval"}])
def test_a_benchmark_is_either_scenarios_or_problems(fields: dict[str, str]) -> None:
    with pytest.raises(DataError, match="either scenarios or problems"):
        tasks_of(Benchmark.model_validate({"name": "x", **fields}))


def test_humaneval_is_a_benchmark_by_name() -> None:
    tasks = tasks_of(Benchmark(name="x", problems="humaneval", limit=4))
    assert [task.id for task in tasks] == ["HumanEval/0", "HumanEval/41", "HumanEval/82", "HumanEval/123"]
    assert all(task.stop and task.problem for task in tasks)
    assert all(task.prompt == task.problem.prompt.rstrip() for task in tasks if task.problem)


def test_a_prompt_that_is_not_stripped_ends_with_the_line_break_of_its_set() -> None:
    (task,) = tasks_of(Benchmark(name="x", problems="humaneval", limit=1, strip_prompts=False))
    assert task.problem is not None
    assert task.prompt == task.problem.prompt
    texts = (task.problem.reference, "    return None\n", "\n\n    return None\n")
    samples = [
        Sample(task=task.id, sample=i, text=text, finish_reason="stop", tokens=1) for i, text in enumerate(texts)
    ]
    outcomes = judge_problem(task.problem, samples, prompt=task.prompt)
    assert [one.reason for one in outcomes] == ["passed", "failed assert", "failed assert"]


def test_a_benchmark_that_strips_prompts_has_the_identity_of_earlier_studies() -> None:
    assert "strip_prompts" not in Benchmark(name="x", problems="humaneval").model_dump()
    assert Benchmark(name="x", problems="humaneval", strip_prompts=False).model_dump()["strip_prompts"] is False


def test_a_reference_of_humaneval_passes_as_the_continuation_of_its_task() -> None:
    (task,) = tasks_of(Benchmark(name="x", problems="humaneval", limit=1))
    assert task.problem is not None
    reference = "\n" + task.problem.reference
    texts = (reference, "\n    return None\n", f"{reference}```\n\nThis function looks at all pairs.\n")
    samples = [
        Sample(task=task.id, sample=i, text=text, finish_reason="stop", tokens=1) for i, text in enumerate(texts)
    ]
    assert [one.reason for one in judge_problem(task.problem, samples, prompt=task.prompt)] == [
        "passed",
        "failed assert",
        "passed",
    ]


def test_the_shortest_problems_are_those_with_the_shortest_references(tmp_path: Path) -> None:
    lengths = [5, 1, 4, 2, 3]
    line = '{"task_id": "T/%d", "prompt": "p", "test": "t", "entry_point": "e", "canonical_solution": "%s"}\n'
    file = tmp_path / "problems.jsonl"
    file.write_text("".join(line % (n, "x" * length) for n, length in enumerate(lengths)), encoding="utf-8")
    chosen = tasks_of(Benchmark(name="x", problems=str(file), shortest=3))
    assert [task.id for task in chosen] == ["T/1", "T/3", "T/4"]
    write_scenarios(tmp_path, 1)
    with pytest.raises(DataError, match="shortest is for problems only"):
        tasks_of(Benchmark(name="x", scenarios=str(tmp_path), shortest=3))


@pytest.mark.parametrize(
    ("setting", "fields"),
    [
        ("depth", {"problems": "humaneval", "depth": "open"}),
        ("split", {"problems": "humaneval", "split": ("validation",)}),
        ("strip_prompts", {"scenarios": "own", "strip_prompts": False}),
        ("shortest", {"scenarios": "own", "shortest": 3}),
    ],
)
def test_a_setting_of_the_other_kind_of_benchmark_is_refused(setting: str, fields: dict[str, object]) -> None:
    with pytest.raises(DataError, match=f"{setting} is for (problems|scenarios) only. Leave it out"):
        tasks_of(Benchmark.model_validate({"name": "x", **fields}))


def test_defaults_that_a_manifest_records_are_no_settings_of_the_other_kind() -> None:
    recorded = Benchmark(name="x", problems="humaneval", limit=1).model_dump(mode="json")
    assert recorded["split"] == ["trained", "unseen"]
    assert len(tasks_of(Benchmark.model_validate(recorded))) == 1


def test_a_choice_that_was_not_made_leaves_older_studies_identity_as_it_was() -> None:
    assert "shortest" not in Benchmark(name="x", scenarios="own").model_dump(mode="json")
