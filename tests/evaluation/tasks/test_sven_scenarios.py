from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosec.checking.patterns import PATTERNS
from cosec.errors import DataError
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.tasks.sven_scenarios import QUERIES, QUERY_FAMILIES, SINKS, sven_scenarios

SHARED = Path(__file__).parents[4] / "shared" / "data"


def write(folder: Path, place: str, query: str = "SqlInjection", **changes: str) -> Path:
    scenario = folder / place
    scenario.mkdir(parents=True)
    information = {"language": "py", "cwe": "CWE-089", "check_ql": f"x/{query}.ql", "description": "d", **changes}
    (scenario / "info.json").write_text(json.dumps(information), encoding="utf-8")
    (scenario / "file_context.py").write_text("import os", encoding="utf-8")
    (scenario / "func_context.py").write_text("def f():\n    # do it\n", encoding="utf-8")
    return scenario


def test_the_prompt_is_both_contexts_on_lines_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, "trained/cwe-089/0-py")
    (scenario,) = sven_scenarios(tmp_path)
    assert scenario.prompt == "import os\n\ndef f():\n    # do it"
    assert (scenario.id, scenario.patterns, scenario.split) == (
        "sven/trained/cwe-089/0-py",
        ("py/sql-injection",),
        "trained",
    )


def test_the_third_scenario_of_a_trained_weakness_only_validates(tmp_path: Path) -> None:
    for name in ("trained/cwe-089/0-py", "trained/cwe-089/1-py", "trained/cwe-089/2-py", "trained/cwe-078/2-py"):
        write(tmp_path, name)
    write(tmp_path, "gen_1/cwe-502/2-py", query="UnsafeDeserialization")
    splits = {one.id: one.split for one in sven_scenarios(tmp_path)}
    assert [one for one, split in splits.items() if split == "validation"] == ["sven/trained/cwe-089/2-py"]
    assert [one for one, split in splits.items() if split == "unseen"] == ["sven/gen_1/cwe-502/2-py"]


def test_a_weakness_without_a_pattern_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "gen_2/cwe-611/0-py", query="Xxe")
    assert sven_scenarios(tmp_path) == ()


def test_a_folder_of_another_kind_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data_eval"):
        sven_scenarios(tmp_path)
    (write(tmp_path, "trained/cwe-089/0-py") / "func_context.py").unlink()
    with pytest.raises(DataError, match=r"func_context\.py"):
        sven_scenarios(tmp_path)
    write(tmp_path / "other", "trained/cwe-089/1-py", language="java")
    with pytest.raises(DataError, match="a language that is py or c"):
        sven_scenarios(tmp_path / "other")


def test_every_pattern_that_a_query_names_exists_and_has_sinks() -> None:
    named = {*QUERIES.values(), *QUERY_FAMILIES.values()}
    assert named <= set(PATTERNS)
    assert named <= set(SINKS)


@pytest.mark.skipif(not (SHARED / "scenarios").is_dir(), reason="SVEN's scenarios are not here")
def test_svens_own_set_is_read_whole() -> None:
    scenarios = sven_scenarios(SHARED / "scenarios")
    assert len(scenarios) == 41, "of 53"
    counts = {split: sum(one.split == split for one in scenarios) for split in ("trained", "validation", "unseen")}
    assert counts == {"trained": 18, "validation": 6, "unseen": 17}


@pytest.mark.skipif(not (SHARED / "labelled").is_dir(), reason="the labelled completions are not here")
def test_nearly_all_labelled_completions_of_its_scenarios_engage_and_all_are_programs() -> None:
    """A few solve the task without its sink: ``os.listdir`` in place of a command."""
    scenarios = {one.id: one for one in sven_scenarios(SHARED / "scenarios")}
    astray, total = [], 0
    for line in (SHARED / "labelled" / "completions.jsonl").read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        scenario = scenarios[f"sven/{entry['scenario']}"]
        code = entry["code"]
        # Labelled programs are whole; where they repeat the prompt, what follows it is the completion.
        prompt = scenario.prompt if code.startswith(scenario.prompt) else code[:1]
        got = extract(prompt, code[len(prompt) :], language=scenario.language, sinks=scenario.sinks)
        assert (got.problem, entry["id"]) == (None, entry["id"])
        total += 1
        if got.empty or not got.engaged:
            astray.append(entry["id"])
    assert len(astray) <= 0.02 * total, astray
