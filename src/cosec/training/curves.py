"""The loss curves of a run as a picture. Needs matplotlib, which comes with the extra ``plots``."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def plots_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_curves(points: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Draw the training and validation losses over the steps, one panel for each loss.

    Args:
        points: As in ``curves.jsonl``.
        file: Where the PNG goes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    for panel, name in zip(panels, ("loss", "security", "functional"), strict=True):
        for kind, style in (("training", {"linewidth": 0.8}), ("validation", {"marker": "o"})):
            chosen = [point for point in points if point["kind"] == kind]
            panel.plot([point["step"] for point in chosen], [point[name] for point in chosen], label=kind, **style)
        panel.set(title=name, xlabel="optimizer step", ylabel="nats")
    panels[0].legend()
    figure.savefig(file, format="png", dpi=150)
