"""The composition of a set of pairs: how many pairs of each CWE in each language (the paper's Fig. 2)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosec.training.data.balancing import HasPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The pairs of one CWE in one language."""

    cwe: str
    language: str
    count: int
    share: float
    """Share of all pairs, between 0 and 1."""


def composition(items: Iterable[HasPair]) -> list[Part]:
    """Count ``items`` by CWE and language, sorted by both."""
    counts = Counter((item.pair.cwe, item.pair.language) for item in items)
    total = counts.total()
    return [
        Part(cwe=cwe, language=language, count=count, share=count / total)
        for (cwe, language), count in sorted(counts.items())
    ]


def draw_composition(columns: Mapping[str, Sequence[Part]], file: Path) -> None:
    """Draw one panel per column, for example before and after balancing: a bar for each CWE, divided by language.

    Args:
        columns: Title to parts.
        file: Where the PNG goes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(columns), 4), layout="constrained")
    panels = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    languages = sorted({part.language for parts in columns.values() for part in parts})
    for panel, (title, parts) in zip(panels, columns.items(), strict=True):
        cwes = sorted({part.cwe for part in parts})
        shares = {(part.cwe, part.language): 100 * part.share for part in parts}
        bottoms = [0.0] * len(cwes)
        for language in languages:
            heights = [shares.get((cwe, language), 0.0) for cwe in cwes]
            panel.bar(cwes, heights, bottom=bottoms, label=language)
            bottoms = [below + height for below, height in zip(bottoms, heights, strict=True)]
        panel.set(title=f"{title}: {sum(part.count for part in parts)} pairs", ylabel="share of all pairs (%)")
        panel.tick_params(axis="x", rotation=60)
    panels[0].legend()
    figure.savefig(file, format="png", dpi=150)
