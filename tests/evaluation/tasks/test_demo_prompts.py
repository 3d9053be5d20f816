"""The demo prompts: indexed, natural, cut where the next tokens decide, none from the evaluation scenarios."""

import ast
import shutil
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

FOLDER = Path(str(files("cosec"))) / "data" / "prompts"
PROMPTS: list[dict[str, str]] = tomllib.loads((FOLDER / "prompts.toml").read_text(encoding="utf-8"))["prompt"]
SUFFIXES = {"python": ".py", "c": ".c"}
SHARED_SCENARIOS = Path(__file__).parents[4] / "shared" / "data" / "scenarios"


def read(prompt: dict[str, str]) -> str:
    return (FOLDER / prompt["file"]).read_text(encoding="utf-8")


def test_the_index_names_every_prompt_once() -> None:
    named = [prompt["file"] for prompt in PROMPTS]
    assert sorted(named) == sorted(path.name for path in FOLDER.glob("*.*") if path.suffix in SUFFIXES.values())


def test_there_are_enough_prompts_over_enough_weaknesses_and_languages() -> None:
    assert len(PROMPTS) >= 10
    assert len({prompt["cwe"] for prompt in PROMPTS}) >= 6
    assert {prompt["language"] for prompt in PROMPTS} == set(SUFFIXES)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt["file"])
def test_a_prompt_says_what_to_look_for_and_ends_where_a_token_can_follow(prompt: dict[str, str]) -> None:
    assert set(prompt) == {"file", "title", "cwe", "language", "look_for"}
    assert Path(prompt["file"]).suffix == SUFFIXES[prompt["language"]]
    text = read(prompt)
    assert 8 <= len(text.splitlines()) <= 25
    # A trailing space or newline would be tokenised otherwise than in running text.
    assert text == text.rstrip()


@pytest.mark.parametrize(
    "prompt", [one for one in PROMPTS if one["language"] == "python"], ids=lambda prompt: prompt["file"]
)
def test_a_python_prompt_is_unfinished_only_in_its_last_line(prompt: dict[str, str]) -> None:
    finished, _, last = read(prompt).rpartition("\n")
    indentation = last[: len(last) - len(last.lstrip())]
    ast.parse(f"{finished}\n{indentation}pass\n")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@pytest.mark.parametrize(
    "prompt", [one for one in PROMPTS if one["language"] == "c"], ids=lambda prompt: prompt["file"]
)
def test_a_c_prompt_is_unfinished_only_in_its_last_line(prompt: dict[str, str]) -> None:
    source = read(prompt).rpartition("\n")[0] + "\n}\n"
    command = ["gcc", "-x", "c", "-std=gnu11", "-fsyntax-only", "-Werror=implicit-function-declaration", "-"]
    result = subprocess.run(command, input=source, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not SHARED_SCENARIOS.is_dir(), reason="the evaluation scenarios are not beside this checkout")
def test_no_prompt_is_taken_from_an_evaluation_scenario() -> None:
    paths = [path for path in SHARED_SCENARIOS.rglob("*_context.*") if path.suffix in {".py", ".c"}]
    assert paths
    scenario_lines = {line.strip() for path in paths for line in path.read_text().splitlines()}
    for prompt in PROMPTS:
        own = {line.strip() for line in read(prompt).splitlines() if len(line.strip()) >= 25 and "import" not in line}
        assert not own & scenario_lines, (prompt["file"], own & scenario_lines)
