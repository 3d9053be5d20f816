from __future__ import annotations

from pathlib import Path

import pytest

from cosec.errors import SettingsError
from cosec.evaluation.study.settings import frontier_settings
from tests.evaluation.study.runs import settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"arms": ("orgin",)}, "choose one of origin"),
        ({"arms": ("origin:strength=1",)}, "runs one model alone"),
        ({"arms": ("gate:threshold=0.1",)}, "has no threshold"),
        ({"arms": ("gate:strenth=0.1",)}, "Unknown setting 'strenth'"),
        ({"arms": ("origin", "origin")}, "each once"),
        ({"seeds": ()}, "seeds"),
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
        ({"strengths": {"speculative": [1]}}, "speculative' under .strengths. has no strength"),
    ],
)
def test_a_mistaken_recipe_of_a_frontier_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        frontier_settings({"benchmarks": [{"name": "x", "scenarios": "own"}], **values})
