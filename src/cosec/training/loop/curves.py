"""The loss curves of a run as a picture. Needs matplotlib, which comes with the extra ``plots``."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plots_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_curves(points: Sequence[Mapping[str, Any]], file: Path, panels: Sequence[str]) -> None:
    """Draw the training and validation losses over the steps, one panel for each loss.

    Args:
        points: As in ``curves.jsonl``.
        file: Where the PNG goes.
        panels: Names of the losses; a point without one of them is left out of its panel.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(panels), 3.2), layout="constrained")
    axes = figure.subplots(1, len(panels))
    for panel, name in zip(axes, panels, strict=True):
        for kind, style in (("training", {"linewidth": 0.8}), ("validation", {"marker": "o"})):
            chosen = [point for point in points if point["kind"] == kind and point.get(name) is not None]
            panel.plot([point["step"] for point in chosen], [point[name] for point in chosen], label=kind, **style)
        panel.set(title=name, xlabel="optimizer step", ylabel="nats")
    axes[0].legend()
    figure.savefig(file, format="png", dpi=150)
