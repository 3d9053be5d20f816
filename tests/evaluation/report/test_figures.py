from __future__ import annotations

import pytest

from cosec.evaluation.report.figures import _name_arms


@pytest.mark.parametrize(
    "names",
    [["origin", "steer:security_floor=0.1,strength=1.5", "steer:security_floor=0.1,strength=2"], ["origin", "cue"]],
)
def test_the_names_of_all_arms_are_inside_the_figure(names: list[str]) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        axes.errorbar(place, place, yerr=1, fmt="o", label=name)
    _name_arms(axes)
    figure.canvas.draw()
    (legend,) = figure.legends
    extent, page = legend.get_window_extent(), figure.bbox
    assert [text.get_text() for text in legend.get_texts()] == names
    assert page.x0 <= extent.x0 < extent.x1 <= page.x1
    assert axes.get_window_extent().width > page.width / 2
