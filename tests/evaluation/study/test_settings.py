from __future__ import annotations

from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.evaluation.study.settings import calibration_settings, frontier_settings, read_recipe
from tests.evaluation.study.runs import settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"arms": ("orgin",)}, "choose one of origin"),
        ({"arms": ("origin:strength=1",)}, "runs one model alone"),
        ({"arms": ("gate:threshold=0.1",)}, "has no threshold"),
        ({"arms": ("gate:strenth=0.1",)}, "Unknown setting 'strenth'"),
        ({"arms": ("origin", "origin")}, "each once"),
        ({"arms": ("origin", " origin")}, "each once"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (0, 0)}, "give each seed once"),
        ({"seeds": (-1,)}, r"seeds\.0: .*greater than or equal to 0"),
        ({"seeds": (2**63,)}, r"seeds\.0: .*less than"),
        ({"temperature": float("inf")}, "temperature: .*finite"),
        ({"temperature": 101.0}, "temperature: .*less than or equal to 100"),
        ({"security_models": {"a/b": "x"}}, "security_models: .*rename 'a/b'"),
        ({"security_models": {"a;b": "x"}}, "rename 'a;b'"),
        ({"security_models": {"a~b": "x"}}, "rename 'a~b'"),
        ({"security_models": {"a:b": "x"}}, "rename 'a:b'"),
        ({"security_models": {"a,b": "x"}}, "rename 'a,b'"),
        ({"security_models": {" ": "x"}}, "rename ' '"),
        ({"benchmark": ()}, "benchmark: extra inputs"),
    ],
)
def test_a_mistaken_recipe_is_refused_by_name(tmp_path: Path, values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(tmp_path, **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs"),
        ({"strengths": {"gate": [0.1]}, "arms": ["origin"]}, "leave out arms"),
        ({"strengths": {"gait": [0.1]}}, "gait"),
        ({"strengths": {"gate": 0.1}}, r"strengths\.gate must be a list of numbers.*got 0\.1"),
        ({"strengths": {"gate": ["x"]}}, r"strengths\.gate must be a list of numbers.*got \['x'\]"),
        ({"strengths": {"gate": [True]}}, "list of numbers"),
        ({"strengths": {"gate": []}}, "list of numbers"),
        ({"strengths": {"gate": [float("nan")]}}, "strength: .*finite"),
        ({"strengths": {"speculative": [1]}}, "speculative' under .strengths. has no strength"),
    ],
)
def test_a_mistaken_recipe_of_a_frontier_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        frontier_settings({"benchmarks": [{"name": "x", "scenarios": "own"}], **values})


def test_a_setting_with_strengths_names_its_arms_with_all_its_settings() -> None:
    found = frontier_settings(
        {"benchmarks": [{"name": "x", "scenarios": "own"}], "strengths": {"steer:against=anti-expert": [1, 2]}}
    )
    assert found.arms[2:] == ("steer:against=anti-expert,strength=1", "steer:against=anti-expert,strength=2")
    assert [arm.contrast for arm in found.decoding_arms()] == ["none", "none", "anti-expert", "anti-expert"]


def test_a_calibration_leaves_out_the_security_model_alone() -> None:
    recipe = {"benchmarks": [{"name": "x", "scenarios": "own"}], "strengths": {"gate": [0.1]}}
    assert frontier_settings(recipe).arms == ("origin", "lora", "gate:strength=0.1")
    assert calibration_settings(recipe).arms == ("origin", "gate:strength=0.1")


def test_what_is_not_set_is_left_out_of_the_identity_as_in_earlier_studies(tmp_path: Path) -> None:
    dumped = settings(tmp_path).model_dump()
    assert "anti_expert" not in dumped
    assert all("format" not in one for one in dumped["benchmarks"])
    assert settings(tmp_path, anti_expert="folder").model_dump()["anti_expert"] == "folder"


def test_the_cue_is_the_target_alone(tmp_path: Path) -> None:
    (arm,) = settings(tmp_path, arms=("cue",)).decoding_arms()
    assert (arm.alone, arm.cue, arm.contrast) == ("target", True, "none")
    with pytest.raises(SettingsError, match="write only 'cue'"):
        settings(tmp_path, arms=("cue@other",))


@pytest.mark.parametrize("entry", ['arms = ["origin"]', 'target = "a"', "strengths = { gate = [0.1] }"])
def test_a_recipe_of_an_endpoint_refuses_what_is_about_other_models(tmp_path: Path, entry: str) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'{entry}\nendpoint = "http://h/v1"\nbenchmarks = [{{ name = "x", scenarios = "own" }}]\n')
    with pytest.raises(SettingsError, match=rf"recipe.toml: {entry.split()[0]}: without effect beside endpoint"):
        read_recipe(recipe)
