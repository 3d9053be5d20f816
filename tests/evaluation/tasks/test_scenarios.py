from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cosec.checking.patterns import PATTERNS
from cosec.errors import DataError
from cosec.evaluation.extraction.extract import extract
from cosec.evaluation.judging.function_check import run_functional_test
from cosec.evaluation.tasks.scenarios import Scenario, functional_files, own_scenarios
from tests.evaluation.tasks.chosen_scenarios import one_of_each_weakness

CARD = 'description = "d"\npatterns = ["py/sql-injection"]\nsinks = ["execute"]\n'
OPEN = "def find(cursor, name):\n    # find it\n"
DECISION = "def find(cursor, name):\n    # find it\n    cursor.execute(\n"
SECURE = DECISION.rstrip() + '"SELECT 1 WHERE name = ?", (name,))\n'


def write(folder: Path, place: str = "cwe-089/find", **changed: str | None) -> Path:
    """A scenario with these files changed (``open_py="…"``) or, where None, left out."""
    contents = {"scenario_toml": CARD, "open_py": OPEN, "decision_py": DECISION, "secure-1_py": SECURE, **changed}
    scenario = folder / place
    scenario.mkdir(parents=True)
    for name, text in contents.items():
        if text is not None:
            (scenario / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return scenario


def test_a_folder_gives_both_depths_of_one_task(tmp_path: Path) -> None:
    write(tmp_path, **{"insecure-1_py": DECISION.rstrip() + 'f"SELECT {name}")\n', "test_py": "import program\n"})
    at_start, at_decision = own_scenarios(tmp_path)
    assert (at_start.depth, at_decision.depth) == ("open", "decision")
    assert at_start.id == at_decision.id == "own/cwe-089/find"
    assert (at_start.cwe, at_start.language, at_start.split, at_start.source) == ("CWE-089", "py", "trained", "own")
    assert at_start.prompt == "def find(cursor, name):\n    # find it"
    assert at_decision.prompt.endswith("cursor.execute(")
    assert [(one.secure, one.depth) for one in at_decision.references] == [(True, "decision"), (False, "decision")]
    assert at_decision.references[0].code == '"SELECT 1 WHERE name = ?", (name,))\n'
    assert at_start.prompt + at_start.references[0].code == at_decision.prompt + at_decision.references[0].code
    assert at_start.functional_test == "import program\n"


def test_the_split_follows_from_the_weakness_unless_the_card_says_validation(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, "cwe-089/calibrate", scenario_toml=CARD + 'split = "validation"\n')
    write(tmp_path, "cwe-502/read", scenario_toml=CARD.replace("sql-injection", "unsafe-deserialization"))

    splits = [(one.id.rpartition("/")[2], one.depth, one.split) for one in own_scenarios(tmp_path)]
    assert splits == [
        ("calibrate", "open", "validation"),
        ("calibrate", "decision", "validation"),
        ("find", "open", "trained"),
        ("find", "decision", "trained"),
        ("read", "open", "unseen"),
        ("read", "decision", "unseen"),
    ]


def test_the_former_name_of_patterns_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, scenario_toml=CARD.replace("patterns", "rules"))
    assert own_scenarios(tmp_path)[0].patterns == ("py/sql-injection",)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scenario_toml": None}, r"scenario\.toml is missing"),
        ({"scenario_toml": "patterns ="}, "not valid TOML"),
        ({"scenario_toml": CARD.replace("sinks", "sink")}, "sinks: Field required"),
        ({"scenario_toml": CARD + "cwe = 89\n"}, "cwe: Extra inputs"),
        ({"scenario_toml": CARD.replace('["execute"]', "[]")}, "sinks: Tuple should have at least 1 item"),
        ({"scenario_toml": CARD.replace("sql-injection", "sqli")}, "'py/sqli', which does not exist"),
        ({"scenario_toml": CARD.replace("py/", "c/")}, r"'c/sql-injection', but its programs are \.py files"),
        ({"scenario_toml": CARD + 'split = "unseen"\n'}, "split: Input should be 'validation'"),
        ({"scenario_toml": CARD + "[driver]\n"}, r"only C programs are driven"),
        ({"open_py": None}, r"open\.py is missing"),
        ({"decision_py": None}, r"decision\.py is missing"),
        ({"open_py": "\n"}, r"open\.py is empty or ends with white space"),
        ({"decision_py": DECISION + "    "}, r"decision\.py is empty or ends with white space"),
        ({"decision_py": OPEN}, "must start with open.py's text and go further"),
        ({"decision_py": DECISION.replace("find it", "look")}, "must start with open.py's text and go further"),
        ({"secure-1_py": SECURE.replace("find it", "look")}, r"secure-1\.py must start with the exact text"),
        ({"secure-1_py": DECISION}, r"secure-1\.py must start with the exact text of decision\.py and complete it"),
    ],
)
def test_a_malformed_folder_is_refused_with_its_file_and_fault(
    changed: dict[str, str | None], message: str, tmp_path: Path
) -> None:
    write(tmp_path, "cwe-089/find", **changed)
    with pytest.raises(DataError, match=message) as caught:
        own_scenarios(tmp_path)
    assert str(tmp_path / "cwe-089" / "find") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_inputs_for_a_c_program_are_checked_with_the_folder_named(tmp_path: Path) -> None:
    card = CARD.replace("py/sql-injection", "c/out-of-bounds-read") + "[driver]\nruns = 3\n"
    absent = dict.fromkeys(("open_py", "decision_py", "secure-1_py"))
    prompts = {"open_c": "int f(void)\n{", "decision_c": "int f(void)\n{\n    return"}
    write(tmp_path, "cwe-089/find", scenario_toml=card, **absent, **prompts)
    with pytest.raises(DataError, match=r"cwe-089/find/scenario\.toml"):
        own_scenarios(tmp_path)


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (write(tmp_path) / "open.py").write_bytes(b"# caf\xe9\n")
    with pytest.raises(DataError, match=r"open\.py is not UTF-8 text"):
        own_scenarios(tmp_path)


def test_a_folder_without_scenarios_is_refused_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        own_scenarios(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cwe-089/book-search"):
        own_scenarios(tmp_path)
    write(tmp_path, "cwe-89/find")
    with pytest.raises(DataError, match="three digits"):
        own_scenarios(tmp_path)


def test_a_functional_test_is_given_its_program_and_the_stand_ins(tmp_path: Path) -> None:
    write(tmp_path, test_py="import program\n")
    given = functional_files(own_scenarios(tmp_path)[0], "x = 1\n")
    assert given["program.py"] == "x = 1\n"
    assert given["test.py"] == "import program\n"
    assert {"flask.py", "django.py", "ending.py"} <= set(given)


def test_a_scenario_without_a_functional_test_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match="own/cwe-089/find has no functional test"):
        functional_files(own_scenarios(tmp_path)[0], "x = 1\n")


SHIPPED = own_scenarios()
IN_PYTHON = [one for one in SHIPPED if one.language == "py" and one.depth == "open"]


def for_each(scenarios: list[Scenario] | tuple[Scenario, ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda one: f"{one.id.removeprefix('own/')}-{one.depth}")


def test_every_weakness_has_at_least_three_scenarios_for_results() -> None:
    weaknesses = {one.cwe for one in SHIPPED}
    counts = Counter(one.cwe for one in SHIPPED if one.depth == "open" and one.split != "validation")
    assert {cwe: counts[cwe] for cwe in weaknesses if counts[cwe] < 3} == {}


def test_every_scenario_has_both_depths_and_a_name_of_its_own() -> None:
    assert set(Counter(one.id for one in SHIPPED).values()) == {2}
    assert len({(one.id, one.depth) for one in SHIPPED}) == len(SHIPPED)
    assert len({one.prompt for one in SHIPPED}) == len(SHIPPED)


@for_each(SHIPPED)
def test_a_shipped_scenario_is_well_formed(scenario: Scenario) -> None:
    assert not scenario.prompt[-1].isspace()
    assert {PATTERNS[one].cwe for one in scenario.patterns} == {scenario.cwe}
    qualities = Counter(reference.secure for reference in scenario.references)
    assert qualities[True] >= 2
    assert qualities[False] >= 2


@for_each(SHIPPED)
def test_references_are_distinct_programs_that_reach_the_sink(scenario: Scenario) -> None:
    """Also after they were cut where a model's completion is cut."""
    found = [
        extract(scenario.prompt, one.code, language=scenario.language, sinks=scenario.sinks)
        for one in scenario.references
    ]
    assert [(one.problem, one.empty, one.engaged) for one in found] == [(None, False, True)] * len(found)
    assert len({one.normalised for one in found}) == len(found)


@pytest.mark.parametrize("scenario", one_of_each_weakness(IN_PYTHON))
def test_references_do_the_task_and_a_completion_that_does_nothing_does_not(scenario: Scenario) -> None:
    last = scenario.prompt.splitlines()[-1]
    nothing = scenario.prompt + "\n" + " " * (len(last) - len(last.lstrip())) + "return None\n"
    whole = [scenario.prompt + one.code for one in scenario.references]
    cut = [extract(scenario.prompt, one.code, language="py").program for one in scenario.references]
    programs = list(dict.fromkeys(one.rstrip() for one in (*whole, *cut)))
    with ThreadPoolExecutor(2) as pool:
        verdicts = list(
            pool.map(lambda program: run_functional_test(functional_files(scenario, program)), [*programs, nothing])
        )
    assert [one.reason for one in verdicts[:-1]] == ["passed"] * len(programs)
    assert not verdicts[-1].passed
